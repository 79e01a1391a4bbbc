//! Arithmetic over named values, written in a plan: `sqrt(x^2 + y^2)`, `if(co2 > 800 && people > 0, 1, 0)`. Parsed once to
//! a list of steps, evaluated on a stack; it can neither loop nor allocate, and its length bounds its cost. Functions are
//! those of libm, so that every machine gives the same bits.
//!
//! Names are letters, digits and underscores, or anything between backticks. From loosest to tightest: `||`, `&&`,
//! comparisons (no chains), `+ -`, `* / %`, unary `- !`, `^` (to the right). Comparisons and logic give 1 or 0; what a
//! missing value goes into is missing, except for the branch that `if` does not take.

mod parse;

use crate::error::Result;

#[derive(Clone, Copy, Debug)]
enum Step {
    Number(f64),
    Name(usize),
    Negate,
    Not,
    Binary(Binary),
    Unary(fn(f64) -> f64),
    If,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binary {
    Or,
    And,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    Different,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Least,
    Most,
    Angle,
    Length,
}

/// A parsed expression; equal to another that is written the same.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    steps: Vec<Step>,
    names: Vec<String>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// `BadPlan` for what is none; `Limit` for one that is too long.
    pub fn parse(text: &str) -> Result<Self> {
        let (steps, names) = parse::steps(text)?;
        Ok(Self {
            text: text.into(),
            steps,
            names,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names in it, each once, in the order in which they first stand there.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Its value, where `value` gives those of the names by their position; NaN is a missing value, and so is a result
    /// that is not finite. `stack` is working memory.
    pub fn evaluate(&self, value: impl Fn(usize) -> f64, stack: &mut Vec<f64>) -> f64 {
        stack.clear();
        for step in &self.steps {
            let result = match *step {
                Step::Number(number) => number,
                Step::Name(name) => value(name),
                Step::Negate => -pop(stack),
                Step::Not => truth(pop(stack), |value| value == 0.0),
                Step::Unary(function) => function(pop(stack)),
                Step::Binary(operator) => {
                    let right = pop(stack);
                    binary(operator, pop(stack), right)
                }
                Step::If => {
                    let (otherwise, then, condition) = (pop(stack), pop(stack), pop(stack));
                    if condition.is_nan() {
                        f64::NAN
                    } else if condition == 0.0 {
                        otherwise
                    } else {
                        then
                    }
                }
            };
            stack.push(result);
        }
        let result = pop(stack);
        if result.is_finite() { result } else { f64::NAN }
    }
}

fn pop(stack: &mut Vec<f64>) -> f64 {
    // The parser puts no step before its operands.
    stack.pop().unwrap_or(f64::NAN)
}

/// 1 or 0; a missing value is neither.
fn truth(value: f64, holds: impl Fn(f64) -> bool) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else {
        f64::from(u8::from(holds(value)))
    }
}

#[expect(clippy::float_cmp, reason = "equality is what was asked for")]
fn binary(operator: Binary, left: f64, right: f64) -> f64 {
    let compared = |holds: bool| {
        if left.is_nan() || right.is_nan() {
            f64::NAN
        } else {
            f64::from(u8::from(holds))
        }
    };
    match operator {
        Binary::Or => compared(left != 0.0 || right != 0.0),
        Binary::And => compared(left != 0.0 && right != 0.0),
        Binary::Less => compared(left < right),
        Binary::LessOrEqual => compared(left <= right),
        Binary::Greater => compared(left > right),
        Binary::GreaterOrEqual => compared(left >= right),
        Binary::Equal => compared(left == right),
        Binary::Different => compared(left != right),
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => left / right,
        Binary::Remainder => libm::fmod(left, right),
        Binary::Power => libm::pow(left, right),
        Binary::Angle => libm::atan2(left, right),
        Binary::Length => libm::hypot(left, right),
        Binary::Least | Binary::Most if left.is_nan() || right.is_nan() => f64::NAN,
        Binary::Least => {
            if left < right {
                left
            } else {
                right
            }
        }
        Binary::Most => {
            if left > right {
                left
            } else {
                right
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Arithmetic over named values, written in a plan: `sqrt(x^2 + y^2)`, `if(co2 > 800 && people > 0, 1, 0)`. Parsed once to
//! a list of steps, evaluated on a stack; it can neither loop nor allocate, and its length bounds its cost. Functions are
//! those of libm, so that every machine gives the same bits.
//!
//! Names are letters, digits and underscores, or anything between backticks. From loosest to tightest: `||`, `&&`,
//! comparisons (no chains), `+ -`, `* / %`, unary `- !`, `^` (to the right). Comparisons and logic give 1 or 0; what a
//! missing value goes into is missing, except for the branch that `if` does not take.

use crate::error::{CoreError, Result};

/// Bytes of an expression.
const TEXT_BYTES_MAX: usize = 1024;
/// Parentheses and calls within each other.
const NESTING_MAX: usize = 32;
/// Steps of the longest expression, with room for every character to be one.
const STEPS_MAX: usize = 512;
/// Different names in one expression.
const NAMES_MAX: usize = 32;

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

/// Operators by how tightly they bind, the longer of two that begin alike first.
const OPERATORS: [&[(&str, Binary)]; 5] = [
    &[("||", Binary::Or)],
    &[("&&", Binary::And)],
    &[
        ("<=", Binary::LessOrEqual),
        (">=", Binary::GreaterOrEqual),
        ("==", Binary::Equal),
        ("!=", Binary::Different),
        ("<", Binary::Less),
        (">", Binary::Greater),
    ],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[("*", Binary::Multiply), ("/", Binary::Divide), ("%", Binary::Remainder)],
];
const COMPARISONS: usize = 2;

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
        if text.len() > TEXT_BYTES_MAX {
            return Err(CoreError::Limit);
        }
        let mut parser = Parser {
            rest: text,
            nesting: 0,
            steps: Vec::new(),
            names: Vec::new(),
        };
        parser.level(0)?;
        parser.space();
        if !parser.rest.is_empty() {
            return Err(CoreError::BadPlan);
        }
        Ok(Self {
            text: text.into(),
            steps: parser.steps,
            names: parser.names,
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

/// What a call becomes, by the function's name, and how many arguments it takes.
fn function(name: &str) -> Option<(Step, usize)> {
    Some(match name {
        "sqrt" => (Step::Unary(f64::sqrt), 1),
        "abs" => (Step::Unary(f64::abs), 1),
        "floor" => (Step::Unary(f64::floor), 1),
        "ceil" => (Step::Unary(f64::ceil), 1),
        "round" => (Step::Unary(libm::round), 1),
        "exp" => (Step::Unary(libm::exp), 1),
        "ln" => (Step::Unary(libm::log), 1),
        "log10" => (Step::Unary(libm::log10), 1),
        "log2" => (Step::Unary(libm::log2), 1),
        "sin" => (Step::Unary(libm::sin), 1),
        "cos" => (Step::Unary(libm::cos), 1),
        "tan" => (Step::Unary(libm::tan), 1),
        "asin" => (Step::Unary(libm::asin), 1),
        "acos" => (Step::Unary(libm::acos), 1),
        "atan" => (Step::Unary(libm::atan), 1),
        "min" => (Step::Binary(Binary::Least), 2),
        "max" => (Step::Binary(Binary::Most), 2),
        "atan2" => (Step::Binary(Binary::Angle), 2),
        "hypot" => (Step::Binary(Binary::Length), 2),
        "if" => (Step::If, 3),
        _ => return None,
    })
}

struct Parser<'a> {
    rest: &'a str,
    nesting: usize,
    steps: Vec<Step>,
    names: Vec<String>,
}

impl<'a> Parser<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Takes a sign if it stands next.
    fn sign(&mut self, sign: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn push(&mut self, step: Step) -> Result<()> {
        self.steps.push(step);
        if self.steps.len() > STEPS_MAX {
            Err(CoreError::Limit)
        } else {
            Ok(())
        }
    }

    /// What binds at least as tightly as the operators of a level.
    fn level(&mut self, level: usize) -> Result<()> {
        let Some(operators) = OPERATORS.get(level) else {
            return self.signed();
        };
        self.level(level + 1)?;
        while let Some(&(_, operator)) = operators.iter().find(|(sign, _)| self.sign(sign)) {
            self.level(level + 1)?;
            self.push(Step::Binary(operator))?;
            if level == COMPARISONS {
                break;
            }
        }
        Ok(())
    }

    fn signed(&mut self) -> Result<()> {
        let step = if self.sign("-") {
            Step::Negate
        } else if self.sign("!") {
            Step::Not
        } else {
            return self.power();
        };
        self.nested(Self::signed)?;
        self.push(step)
    }

    fn power(&mut self) -> Result<()> {
        self.atom()?;
        if self.sign("^") {
            self.nested(Self::signed)?;
            self.push(Step::Binary(Binary::Power))?;
        }
        Ok(())
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(CoreError::Limit);
        }
        inner(self)?;
        self.nesting -= 1;
        Ok(())
    }

    fn atom(&mut self) -> Result<()> {
        if self.sign("(") {
            self.nested(|parser| parser.level(0))?;
            return if self.sign(")") {
                Ok(())
            } else {
                Err(CoreError::BadPlan)
            };
        }
        if self.sign("`") {
            let (name, rest) = self.rest.split_once('`').ok_or(CoreError::BadPlan)?;
            self.rest = rest;
            return self.name(name);
        }
        if self
            .rest
            .starts_with(|first: char| first.is_ascii_digit() || first == '.')
        {
            return self.number();
        }
        let end = self
            .rest
            .find(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if self.sign("(") {
            self.call(name)
        } else {
            self.name(name)
        }
    }

    fn call(&mut self, name: &str) -> Result<()> {
        let (step, arguments) = function(name).ok_or(CoreError::BadPlan)?;
        for argument in 0..arguments {
            if argument > 0 && !self.sign(",") {
                return Err(CoreError::BadPlan);
            }
            self.nested(|parser| parser.level(0))?;
        }
        if self.sign(")") {
            self.push(step)
        } else {
            Err(CoreError::BadPlan)
        }
    }

    fn name(&mut self, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(CoreError::BadPlan);
        }
        let known = self.names.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        if self.names.len() > NAMES_MAX {
            return Err(CoreError::Limit);
        }
        self.push(Step::Name(place))
    }

    /// Digits with a point and an exponent, as in `.5`, `2`, `1.5e-3`.
    fn number(&mut self) -> Result<()> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            end += 1 + sign + digits(end + 1 + sign);
        }
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number: f64 = number.parse().map_err(|_| CoreError::BadPlan)?;
        if number.is_finite() {
            self.push(Step::Number(number))
        } else {
            Err(CoreError::BadPlan)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> f64 {
        let expression = Expression::parse(text).unwrap();
        let of = |name: usize| match expression.names[name].as_str() {
            "x" => 3.0,
            "y" => 4.0,
            "my field" => 7.0,
            _ => f64::NAN,
        };
        expression.evaluate(of, &mut Vec::new())
    }

    #[test]
    fn operators_bind_as_in_school() {
        for (text, expected) in [
            ("sqrt(x^2 + y^2)", 5.0),
            ("1 + 2 * 3", 7.0),
            ("10 - 4 - 3", 3.0),
            ("2 ^ 3 ^ 2", 512.0),
            ("-2 ^ 2", -4.0),
            ("2 ^ -1", 0.5),
            ("(1 + 2) * -x", -9.0),
            ("7 % 4 + 1e1/.5", 23.0),
            ("1 < 2 && 2 >= 3 || !0", 1.0),
            ("if(x == 3, `my field`, nothing)", 7.0),
            ("min(x, y) + max(x, y) * hypot(x, y)", 23.0),
            ("round(2.5) + floor(-0.5)", 2.0),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        assert_eq!(Expression::parse("a*(b+a)").unwrap().names, ["a", "b"]);
    }

    #[test]
    fn what_a_missing_value_goes_into_is_missing() {
        for text in [
            "nothing + 1",
            "nothing > 2",
            "!nothing",
            "max(nothing, 1)",
            "1 || nothing",
            "1 / 0",
            "sqrt(-1)",
        ] {
            assert!(value(text).is_nan(), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "",
            " ",
            "1 +",
            "(1",
            "1)",
            "f(1)",
            "sqrt()",
            "sqrt(1, 2)",
            "if(1, 2)",
            "1 2",
            "a b",
            "1 < 2 < 3",
            "`a",
            "``",
            "1e",
            "1e999",
            "..",
            "$x",
            "x.y",
            "ä",
        ] {
            assert_eq!(Expression::parse(text).err(), Some(CoreError::BadPlan), "{text}");
        }
        let deep = format!("{}1{}", "(".repeat(100), ")".repeat(100));
        let minus = "-".repeat(100) + "1";
        let long = "1+".repeat(600) + "1";
        for text in [deep, minus, long] {
            assert_eq!(Expression::parse(&text).err(), Some(CoreError::Limit));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_expression_or_refused(text in "[-+*/^%()<>=!&|,.`0-9a-c ]{0,40}") {
            if let Ok(expression) = Expression::parse(&text) {
                let mut stack = Vec::new();
                let result = expression.evaluate(|_| 1.5, &mut stack);
                prop_assert!(stack.is_empty() && !result.is_infinite());
            }
        }
    }
}

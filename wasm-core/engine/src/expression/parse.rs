//! From the text of an expression to its steps: recursive descent, each operator behind its operands.

use super::{Binary, Step};
use crate::error::{CoreError, Result};

/// Bytes of an expression.
const TEXT_BYTES_MAX: usize = 1024;
/// Parentheses and calls within each other.
const NESTING_MAX: usize = 32;
/// Steps of the longest expression, with room for every character to be one.
const STEPS_MAX: usize = 512;
/// Different names in one expression.
const NAMES_MAX: usize = 32;

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

/// The steps of an expression, and the names in it.
pub(super) fn steps(text: &str) -> Result<(Vec<Step>, Vec<String>)> {
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
    if parser.rest.is_empty() {
        Ok((parser.steps, parser.names))
    } else {
        Err(CoreError::BadPlan)
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

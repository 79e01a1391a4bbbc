use super::*;
use crate::error::CoreError;
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

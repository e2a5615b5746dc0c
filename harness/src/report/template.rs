//! Filling templates. Templates whose names end in `.html` escape their values.

use crate::text::numbers;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior, Value};
use serde::Serialize;

/// Fills the template called `name` with `data`.
///
/// # Errors
/// A name in the template that `data` does not have.
pub(super) fn fill(name: &str, source: &str, data: &impl Serialize) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("digits", numbers::digits);
    environment.add_filter("percent", numbers::percent);
    environment.add_filter("ratio", numbers::ratio);
    environment.add_filter("time", numbers::time);
    environment.add_filter("counted", |number: usize, noun: &str| numbers::count(number, noun));
    environment.add_template(name, source)?;
    environment.get_template(name)?.render(Value::from(Serde(data)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn pages_escape_and_style_sheets_do_not() {
        let data = HashMap::from([("x", "<b>&\"")]);
        assert_eq!(fill("a.html", "{{ x }}", &data).unwrap(), "&lt;b&gt;&amp;&quot;");
        assert_eq!(fill("a.css", "{{ x }}", &data).unwrap(), "<b>&\"");
    }

    #[test]
    fn a_missing_name_is_an_error() {
        assert!(fill("a.html", "{{ y }}", &HashMap::from([("x", 1)])).is_err());
    }
}

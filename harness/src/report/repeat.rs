//! Command lines that measure a row again.

use crate::rank::Known;
use crate::record::Record;

/// The command that measures `contenders` on the layer of `record` under the same setting.
pub fn repeat(record: &Record, contenders: &[&str], known: &Known) -> String {
    let layer = known.text(record).unwrap_or_else(|| {
        let name = format!("{}/{}", record.network, record.layer);
        format!("^{}$", regex::escape(name.trim_start_matches('/')))
    });
    let names: Vec<String> = contenders.iter().map(|name| regex::escape(name)).collect();
    let names = match &names[..] {
        [one] => format!("^{one}$"),
        several => format!("^({})$", several.join("|")),
    };
    format!(
        "pointwise bench --layer {} --layout {} --contender {} --threads {} --cache {}",
        quoted(&layer),
        record.layout,
        quoted(&names),
        record.threads,
        record.cache
    )
}

/// The word for a shell: in single quotes where the shell would split or change it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/+=._-,:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(
            quoted("nhwc/n1c64h56w56k256/s2x2/bias+relu"),
            "nhwc/n1c64h56w56k256/s2x2/bias+relu"
        );
        assert_eq!(quoted("^a|b$"), "'^a|b$'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}

//! Reading record files.

use super::error::FileError;
use super::row::{PASS, Record, SCHEMA};
use crate::measure::Cache;
use crate::text::one_line::OneLine;
use std::path::Path;

/// The records of a file, at least one.
///
/// # Errors
/// [`FileError`], with the line and the reason. One wrong line makes the whole file an error, because
/// the comparison of half a file would look like a comparison.
pub fn read(path: &Path) -> Result<Vec<Record>, FileError> {
    let bytes = std::fs::read(path).map_err(|error| FileError::io("read", path, &error))?;
    parse(path, &bytes)
}

/// The records in `bytes`, at least one. `path` is named in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Record>, FileError> {
    let ends_whole = bytes.last() == Some(&b'\n');
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate().peekable();
    let mut records = Vec::new();
    while let Some((index, line)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let unfinished = lines.peek().is_none() && !ends_whole;
        records.push(one(path, index + 1, line, unfinished)?);
    }
    if records.is_empty() {
        return Err(FileError::Empty { path: path.to_owned() });
    }
    Ok(records)
}

fn one(path: &Path, line: usize, text: &[u8], unfinished: bool) -> Result<Record, FileError> {
    let path_of = || path.to_owned();
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|error| {
        if unfinished && text.trim_ascii().first() == Some(&b'{') {
            FileError::CutShort { path: path_of(), line }
        } else {
            FileError::NotJson { path: path_of(), line, reason: reason(&error) }
        }
    })?;
    let field = |reason: String| FileError::Field { path: path_of(), line, reason };
    let Some(object) = value.as_object() else {
        return Err(field("not a record: no JSON object".to_owned()));
    };
    // The version comes first, because a record of another version may have other fields.
    let found = object.get("schema").cloned();
    if found != Some(SCHEMA.into()) {
        return Err(FileError::schema(path, line, found));
    }
    let record: Record =
        serde_json::from_value(value).map_err(|error| field(OneLine(error).to_string()))?;
    check(&record).map_err(field)?;
    Ok(record)
}

/// The parser's reason with the column, without the parser's line number: it counts within the record.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    format!("{} at column {}", &text[..end], error.column())
}

/// Refuses values that the types allow and no measurement gives.
fn check(record: &Record) -> Result<(), String> {
    for (field, value) in record.figures() {
        if !value.is_finite() || value < 0.0 || (value == 0.0 && field != "ns_mad") {
            return Err(format!("field `{field}` is {value}, but must be positive"));
        }
    }
    let whole = record.is_of_a_pass() && record.layer == PASS;
    for (field, value) in record.counts() {
        let may_be_0 = whole && !["n", "threads", "samples"].contains(&field);
        if value == 0 && !may_be_0 {
            return Err(format!("field `{field}` is 0, but must be positive"));
        }
    }
    if !["nchw", "nhwc"].contains(&record.layout.as_str()) {
        let layout = OneLine(&record.layout);
        return Err(format!("field `layout` is `{layout}`, but must be nchw or nhwc"));
    }
    record.cache.parse::<Cache>().map(drop).map_err(|why| format!("field `cache`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::record;
    use super::*;

    fn error(text: &str) -> String {
        parse(Path::new("run.jsonl"), text.as_bytes()).unwrap_err().to_string()
    }

    fn line() -> String {
        serde_json::to_string(&record()).unwrap()
    }

    #[test]
    fn whole_files_are_read_in_order() {
        let second = Record { layer: "other".to_owned(), ..record() };
        let text = format!("{}\n\n{}\n", line(), serde_json::to_string(&second).unwrap());
        assert_eq!(parse(Path::new("x"), text.as_bytes()).unwrap(), [record(), second]);
        // The end of the last line may be missing, as some editors leave it.
        assert_eq!(parse(Path::new("x"), line().as_bytes()).unwrap().len(), 1);
    }

    #[test]
    fn each_kind_of_damage_is_told_with_its_line() {
        let good = line();
        assert_eq!(error(""), "run.jsonl: no record in it: the file is empty");
        assert_eq!(error(" \n\n"), "run.jsonl: no record in it: the file is empty");
        let text = error(&format!("{good}\nlayer,ns\n"));
        assert!(
            text.starts_with("run.jsonl:2: not JSON: ") && text.ends_with(" at column 1"),
            "{text}"
        );
        let half = &good[..good.len() / 2];
        let text = error(&format!("{good}\n{good}\n{half}"));
        assert!(text.starts_with("run.jsonl:3: ends within a record"), "{text}");
        // Half a record in the middle is damage, not a file cut short.
        let text = error(&format!("{half}\n{good}\n"));
        assert!(text.starts_with("run.jsonl:1: not JSON: "), "{text}");
        let text = error(&format!("{good}\n[1]\n"));
        assert!(text.starts_with("run.jsonl:2: not a record"), "{text}");
        assert!(error("\u{0}\u{1}\n").contains("not JSON"));
    }

    #[test]
    fn other_schemas_are_refused_before_their_fields() {
        let other = line().replace("\"schema\":1", "\"schema\":2,\"new\":true");
        assert_eq!(error(&other), "run.jsonl:1: schema 2, but this program reads schema 1");
        let text = error("{}\n");
        assert_eq!(text, "run.jsonl:1: schema missing, but this program reads schema 1");
    }

    #[test]
    fn fields_missing_unknown_mistyped_or_senseless_are_named() {
        let changed = |from: &str, to: &str| {
            let changed = line().replace(from, to);
            assert_ne!(changed, line(), "{from}");
            error(&changed)
        };
        assert!(changed("\"k\":256,", "").starts_with("run.jsonl:1: "));
        assert!(changed("\"k\":256", "\"q\":256").contains("`q`"));
        assert!(changed("\"k\":256", "\"k\":\"256\"").contains("\"256\""));
        assert!(changed("\"k\":256", "\"k\":0").contains("field `k` is 0"));
        assert!(changed("\"ns_min\":90.0", "\"ns_min\":null").contains("null"));
        assert!(changed("\"ns_min\":90.0", "\"ns_min\":-1.0").contains("field `ns_min` is -1"));
        let text = changed("\"nhwc\"", "\"nwhc\"");
        assert_eq!(text, "run.jsonl:1: field `layout` is `nwhc`, but must be nchw or nhwc");
    }

    #[test]
    fn files_that_cannot_be_read_say_so() {
        let missing = read(Path::new("no/such/file.jsonl")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read no/such/file.jsonl: "), "{missing}");
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(FileError::Io { verb: "read", .. })));
    }
}

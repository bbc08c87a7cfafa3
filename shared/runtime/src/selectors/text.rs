//! Selectors as operators write and read them, in commands and in configuration files: `provider=openai`,
//! `label.env=staging`, `kind=endpoint*`, `kind=*`, `key=gateway`.

use strongroom_api::vault::v1::Selector;
use strongroom_api::vault::v1::selector::Selector as Kind;

const EXPECTED: &str =
    "expected provider=NAME, label.NAME=VALUE, kind=NAME, kind=PREFIX*, kind=* or key=NAME";

/// Precedes a label's name, because a label can itself be called `provider`, `kind` or `key`.
const LABEL: &str = "label.";

/// One selector; a label's value may be empty and may contain further `=`.
///
/// # Errors
/// The expected form, as a sentence.
pub fn parse(text: &str) -> Result<Selector, String> {
    let (name, value) = text.split_once('=').ok_or(EXPECTED)?;
    let kind = match name {
        "provider" => Kind::Provider(value.to_owned()),
        "kind" => Kind::ReferenceKind(value.to_owned()),
        "key" => Kind::Key(value.to_owned()),
        _ => return parse_label(name, value),
    };
    if value.is_empty() {
        return Err(EXPECTED.to_owned());
    }
    Ok(Selector { selector: Some(kind) })
}

fn parse_label(name: &str, value: &str) -> Result<Selector, String> {
    match name.strip_prefix(LABEL) {
        Some(label) if !label.is_empty() => {
            Ok(Selector { selector: Some(Kind::Label(format!("{label}={value}"))) })
        }
        // The most likely mistake: a label without the prefix.
        _ => Err(format!("{EXPECTED}; a label is written {LABEL}{name}={value}")),
    }
}

/// The selector in the form that [`parse`] reads. One that this release does not know is shown too, because it narrows
/// the token.
#[must_use]
pub fn shown(selector: &Selector) -> String {
    match &selector.selector {
        Some(Kind::Provider(provider)) => format!("provider={provider}"),
        Some(Kind::Label(label)) => format!("{LABEL}{label}"),
        Some(Kind::ReferenceKind(kind)) => format!("kind={kind}"),
        Some(Kind::Key(key)) => format!("key={key}"),
        None => "(unknown to this release)".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_shown() {
        for (text, kind) in [
            ("provider=openai", Kind::Provider("openai".into())),
            ("label.env=staging", Kind::Label("env=staging".into())),
            ("label.team/a.b=x=y", Kind::Label("team/a.b=x=y".into())),
            ("label.env=", Kind::Label("env=".into())),
            ("kind=endpoint", Kind::ReferenceKind("endpoint".into())),
            ("kind=pii_*", Kind::ReferenceKind("pii_*".into())),
            ("kind=*", Kind::ReferenceKind("*".into())),
            ("key=gateway", Kind::Key("gateway".into())),
        ] {
            let selector = parse(text).unwrap();
            assert_eq!(selector.selector, Some(kind), "{text}");
            assert_eq!(shown(&selector), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in ["", "openai", "=openai", "provider=", "kind=", "key=", "label.=x", "Provider=openai"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let error = parse("env=staging").unwrap_err();
        assert!(error.ends_with("label.env=staging"), "{error}");
        assert!(!shown(&Selector::default()).is_empty());
    }
}

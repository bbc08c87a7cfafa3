//! What the repository promises about itself.

use e2e::{repository, tool};

#[test]
fn the_protos_pass_buf_lint() {
    let Some(mut buf) = tool::tool("buf") else { return };
    buf.current_dir(repository());
    let _ = tool::run(buf, &["lint"]);
}

#[test]
fn dependencies_are_those_that_deny_toml_allows() {
    let Some(mut deny) = tool::optional_tool("cargo-deny") else { return };
    deny.current_dir(repository());
    let _ = tool::run(deny, &["--locked", "check", "bans", "licenses", "sources"]);
}

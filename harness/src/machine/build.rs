//! What the program was built from.

use serde::{Deserialize, Serialize};

/// Compiler, profile and commit of this program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The harness's version.
    pub version: String,
    /// What `rustc --version` says.
    pub compiler: String,
    /// The target triple.
    pub target: String,
    /// `release` or `debug`: the profile, or the one that it inherits from.
    pub profile: String,
    /// The optimisation level.
    pub opt_level: String,
    /// Whether debug assertions, and with them overflow checks, are compiled in.
    pub debug_assertions: bool,
    /// Compiler flags beyond those of the profile, such as a target CPU.
    pub rustflags: String,
    /// The hash of the commit; `unknown` for a build outside of the repository.
    pub commit: String,
    /// Whether compiled files differed from the commit.
    pub dirty: bool,
}

impl Build {
    /// The build of the running program.
    pub fn this() -> Build {
        Build {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            compiler: env!("POINTWISE_BUILD_COMPILER").to_owned(),
            target: env!("POINTWISE_BUILD_TARGET").to_owned(),
            profile: env!("POINTWISE_BUILD_PROFILE").to_owned(),
            opt_level: env!("POINTWISE_BUILD_OPT").to_owned(),
            debug_assertions: cfg!(debug_assertions),
            rustflags: env!("POINTWISE_BUILD_RUSTFLAGS").to_owned(),
            commit: env!("POINTWISE_BUILD_COMMIT").to_owned(),
            dirty: env!("POINTWISE_BUILD_DIRTY") == "true",
        }
    }

    /// Whether its code was optimised, so that its timings mean something.
    pub fn is_optimised(&self) -> bool {
        !self.debug_assertions && matches!(self.opt_level.as_str(), "2" | "3")
    }

    /// The first twelve digits of the commit, with a `+` when compiled files differed from it.
    pub fn short_commit(&self) -> String {
        let short: String = self.commit.chars().take(12).collect();
        if self.dirty { short + "+" } else { short }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_is_known() {
        let build = Build::this();
        assert!(build.compiler.starts_with("rustc "), "{}", build.compiler);
        assert!(build.target.contains('-'), "{}", build.target);
        assert_eq!(build.debug_assertions, cfg!(debug_assertions));
        let hash = build.commit.len() >= 40 && build.commit.chars().all(|c| c.is_ascii_hexdigit());
        assert!(hash || build.commit == "unknown", "{}", build.commit);
    }

    #[test]
    fn short_commits_show_dirt() {
        let commit = "0123456789abcdef0123".to_owned();
        let build = Build { commit, dirty: true, ..Build::this() };
        assert_eq!(build.short_commit(), "0123456789ab+");
        assert_eq!(Build { dirty: false, ..build }.short_commit(), "0123456789ab");
    }

    #[test]
    fn only_optimised_code_without_assertions_counts() {
        let build = Build { debug_assertions: false, opt_level: "3".to_owned(), ..Build::this() };
        assert!(build.is_optimised());
        assert!(!Build { debug_assertions: true, ..build.clone() }.is_optimised());
        assert!(!Build { opt_level: "0".to_owned(), ..build }.is_optimised());
    }
}

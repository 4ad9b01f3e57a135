//! The directories of extensions that clients name, in launch options or in `Extensions.loadUnpacked`: each must be below the
//! directory that the operator chose, with all symbolic links followed.

use std::path::{Path, PathBuf};

use crate::{api_types::Bad, session::launch::LaunchFlag};

/// The flag with the paths that Chrome gets. `allowed` is the setting `extensions_dir`.
pub(super) async fn resolved(flag: LaunchFlag, allowed: Option<&Path>) -> Result<String, Bad> {
    let LaunchFlag { name, arg, directories } = flag;
    let Some(directories) = directories else { return Ok(arg) };
    let refuse = |why: String| Bad::new(name, format!("is refused: {why}"));
    let Some(allowed) = allowed else {
        return Err(refuse("this server has no directory of extensions (extensions_dir)".to_owned()));
    };
    let mut paths = Vec::new();
    for given in directories.split(',') {
        let path = inside(allowed, given).await.ok_or_else(|| {
            // The same for one that is elsewhere and one that does not exist: nobody learns what there is.
            refuse(format!("{given:?} is no directory of an unpacked extension below extensions_dir"))
        })?;
        paths.push(path);
    }
    Ok(format!("{name}={}", paths.join(",")))
}

/// The real path of an unpacked extension below a directory. Relative paths begin there.
pub(super) async fn inside(allowed: &Path, given: &str) -> Option<String> {
    let root = tokio::fs::canonicalize(allowed).await.ok()?;
    let path: PathBuf = tokio::fs::canonicalize(root.join(given)).await.ok()?;
    if path == root || !path.starts_with(&root) {
        return None;
    }
    tokio::fs::metadata(path.join("manifest.json")).await.ok().filter(std::fs::Metadata::is_file)?;
    // Chrome divides the list at commas.
    path.into_os_string().into_string().ok().filter(|path| !path.contains(','))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[tokio::test]
    async fn only_unpacked_extensions_below_the_directory_are_loaded() {
        let machine = tempfile::tempdir().expect("a directory");
        let at = |path: &str| machine.path().join(path);
        for extension in ["allowed/one", "allowed/two", "other/three", "allowed-too/four"] {
            fs::create_dir_all(at(extension)).expect("made");
            fs::write(at(extension).join("manifest.json"), "{}").expect("written");
        }
        fs::create_dir_all(at("allowed/empty")).expect("made");
        symlink(at("other/three"), at("allowed/link")).expect("linked");
        symlink(at("allowed/one"), at("inner")).expect("linked");
        let load = async |directories: &str| {
            let (arg, directories) = (String::new(), Some(directories.to_owned()));
            let flag = LaunchFlag { name: "--load-extension", arg, directories };
            resolved(flag, Some(&at("allowed"))).await
        };
        let root = fs::canonicalize(at("allowed")).expect("a path");
        let (one, two) = (root.join("one"), root.join("two"));
        let both = format!("--load-extension={},{}", one.display(), two.display());
        assert_eq!(load("one,two").await, Ok(both.clone()));
        assert_eq!(load(&format!("{},{}", at("inner").display(), at("allowed/two").display())).await, Ok(both));
        let outside = [
            at("other/three").display().to_string(),
            at("allowed-too/four").display().to_string(),
            at("allowed").display().to_string(),
            at("allowed/../other/three").display().to_string(),
        ];
        for bad in ["../other/three", "link", "one,link", "empty", ".", "none", "/etc"]
            .into_iter()
            .map(str::to_owned)
            .chain(outside)
        {
            let refused = load(&bad).await.expect_err(&bad);
            assert_eq!(refused.field, "--load-extension", "{bad}");
            assert!(refused.why.contains("below extensions_dir"), "{refused}");
        }
    }
}

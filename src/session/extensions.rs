//! The directories of extensions that clients name, in launch options or in `Extensions.loadUnpacked`: each must be below the
//! directory that the operator chose, with all symbolic links followed.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use crate::{api_types::Bad, port::Extension, session::launch::LaunchFlag};

/// Bytes of a manifest that are read.
const MANIFEST: u64 = 1 << 20;

/// The flag with the paths that Chrome gets, and the extensions there. `allowed` is the setting `extensions_dir`.
pub(super) async fn resolved(flag: LaunchFlag, allowed: Option<&Path>) -> Result<(String, Vec<Extension>), Bad> {
    let LaunchFlag { name, arg, directories } = flag;
    let Some(directories) = directories else { return Ok((arg, Vec::new())) };
    let refuse = |why: String| Bad::new(name, format!("is refused: {why}"));
    let Some(allowed) = allowed else {
        return Err(refuse("this server has no directory of extensions (extensions_dir)".to_owned()));
    };
    let mut found = Vec::new();
    for given in directories.split(',') {
        let extension = inside(allowed, given).await.ok_or_else(|| {
            // The same for one that is elsewhere and one that does not exist: nobody learns what there is.
            refuse(format!("{given:?} is no directory of an unpacked extension below extensions_dir"))
        })?;
        found.push(extension);
    }
    let paths: Vec<&str> = found.iter().map(|extension| &*extension.path).collect();
    Ok((format!("{name}={}", paths.join(",")), found))
}

/// The unpacked extension at this path, if it is below a directory. Relative paths begin there.
pub(super) async fn inside(allowed: &Path, given: &str) -> Option<Extension> {
    let root = tokio::fs::canonicalize(allowed).await.ok()?;
    let path: PathBuf = tokio::fs::canonicalize(root.join(given)).await.ok()?;
    if path == root || !path.starts_with(&root) {
        return None;
    }
    let manifest = path.join("manifest.json");
    tokio::fs::metadata(&manifest).await.ok().filter(std::fs::Metadata::is_file)?;
    let mut text = Vec::new();
    tokio::fs::File::open(&manifest).await.ok()?.take(MANIFEST).read_to_end(&mut text).await.ok()?;
    // Chrome divides the list at commas.
    let path = path.into_os_string().into_string().ok().filter(|path| !path.contains(','))?;
    Some(Extension { id: id_of(&path, &text), path })
}

/// The id that Chrome gives an unpacked extension: from the `key` of its manifest, a public key in base64, or else from its
/// path.
fn id_of(path: &str, manifest: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Manifest {
        key: String,
    }

    let key = || {
        let Manifest { key } = serde_json::from_slice(manifest).ok()?;
        // It may be in the form of a PEM file.
        let lines: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
        BASE64.decode(lines.trim().as_bytes()).ok()
    };
    let hash = Sha256::digest(key().unwrap_or_else(|| path.as_bytes().to_owned()));
    let halves = hash.iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(|half| char::from(b'a' + half)).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// The first is one of Chrome's own tests (`id_util_unittest.cc`): the text `test` as a key.
    #[test]
    fn ids_are_those_of_chrome() {
        const OF_TEST: &str = "jpignaibiiemhngfjkcpokkamffknabf";
        let id = |path: &str, manifest: &str| id_of(path, manifest.as_bytes());
        assert_eq!(id("/any", r#"{"key":"dGVzdA=="}"#), OF_TEST);
        let pem = r#"{"key":"-----BEGIN PUBLIC KEY-----\ndGVz\ndA==\n-----END PUBLIC KEY-----"}"#;
        assert_eq!(id("/any", pem), OF_TEST);
        // Otherwise its path is hashed.
        for manifest in ["{}", "no JSON", r#"{"key":5}"#, r#"{"key":"?"}"#] {
            assert_eq!(id("test", manifest), OF_TEST, "{manifest}");
        }
    }

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
        let arg = async |directories: &str| load(directories).await.map(|(arg, _)| arg);
        assert_eq!(arg("one,two").await, Ok(both.clone()));
        assert_eq!(arg(&format!("{},{}", at("inner").display(), at("allowed/two").display())).await, Ok(both));
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

//! A screen of its own for a browser with windows: an Xvfb (X.Org's server that draws into memory) in the browser's process
//! group, which ends with it. Only who has read its cookie, a file of the browser's profile, gets in.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use command_fds::FdMapping;
use tokio::process::Command;

use super::find::in_path;
use crate::port::ScreenSize;

const XVFB: &str = "Xvfb";
/// The scheme of X.Org for a secret that both sides know.
const SCHEME: &[u8] = b"MIT-MAGIC-COOKIE-1";
/// An entry for any display (`FamilyWild`, Xau(3)).
const ANY: [u8; 2] = [0xff, 0xff];
/// Becomes the browser once its screen is there, so that the browser leads the process group of both. Xvfb says on descriptor
/// 7 which display it has; 8 is the other end. It must not have the browser's pipe (3 and 4) and lock (5), or they would not
/// close with the browser. Arguments: Xvfb, the size, the file with the cookie, the browser.
const SCRIPT: &str = "\"$1\" -displayfd 7 -screen 0 \"$2\" -nolisten tcp -auth \"$3\" 3<&- 4>&- 5<&- 8<&- & \
                      exec 7>&-; read -r display <&8 || { echo 'ERROR: Xvfb did not start' >&2; exit 1; }; exec 8<&-; \
                      export DISPLAY=\":$display\" XAUTHORITY=\"$3\"; shift 3; exec \"$@\"";

/// Why there is no screen on this machine.
pub(super) fn missing() -> Option<&'static str> {
    in_path(Path::new(XVFB)).is_none().then_some("Xvfb is not installed on its machine (Debian: apt-get install xvfb)")
}

/// The command that becomes the browser on a screen of this size, and what it inherits for that. `directory` is of this browser
/// alone, `command` starts a shell.
pub(super) fn program_with(
    size: ScreenSize,
    directory: &Path,
    binary: &Path,
    mut command: Command,
) -> io::Result<(Command, Vec<FdMapping>)> {
    let xvfb = in_path(Path::new(XVFB)).ok_or_else(|| io::Error::other("Xvfb is not installed"))?;
    let cookie = write_cookie(directory)?;
    let (from_xvfb, for_xvfb) = io::pipe()?;
    command.args(["-c", SCRIPT, "ghostmux-screen"]).arg(xvfb);
    command.arg(format!("{}x{}x24", size.width, size.height)).arg(cookie).arg(binary);
    let inherited = vec![
        FdMapping { parent_fd: OwnedFd::from(for_xvfb), child_fd: 7 },
        FdMapping { parent_fd: OwnedFd::from(from_xvfb), child_fd: 8 },
    ];
    Ok((command, inherited))
}

/// Writes a new cookie in the format of Xau(3).
fn write_cookie(directory: &Path) -> io::Result<PathBuf> {
    let path = directory.join("xauthority");
    let secret = uuid::Uuid::new_v4().into_bytes();
    let mut entry = ANY.to_vec();
    // No address and no display: it is for all.
    for part in [&[], &[], SCHEME, &secret[..]] {
        let length = u16::try_from(part.len()).map_err(io::Error::other)?;
        entry.extend(length.to_be_bytes());
        entry.extend(part);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(&entry)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn cookie_is_new_for_each_browser_and_of_this_user_alone() {
        let write = || {
            let directory = tempfile::tempdir().expect("a directory");
            let path = write_cookie(directory.path()).expect("written");
            assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
            std::fs::read(path).expect("there")
        };
        let (one, other) = (write(), write());
        let head = b"\xff\xff\0\0\0\0\0\x12MIT-MAGIC-COOKIE-1\0\x10";
        assert!(one.starts_with(head) && one.len() == head.len() + 16, "{one:?}");
        assert_ne!(one, other);
    }
}

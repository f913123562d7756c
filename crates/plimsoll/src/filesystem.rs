//! Does the SQLite file lie where locks and syncs can be trusted?
//!
//! On a file system of a network two processes may both believe that they hold a lock, and a sync may return before the
//! bytes are safe; the write-ahead log needs memory that all of its users share. The kernel's list of mounts says what a
//! path lies on. Where there is no such list, nothing is known and nothing refused.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use infra::config::{Config, NetworkFilesystem};

use crate::alone::database_file;

/// File systems of a network, as the kernel names them.
const NETWORK: [&str; 20] = [
    "afs",
    "ceph",
    "cifs",
    "fuse.ceph",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
    "webdav",
];

/// Refuses a database file on a file system of a network, or warns if the configuration allows it.
pub(crate) fn refuse_network(config: &Config) -> Result<()> {
    let Some(file) = database_file(config.database.url.expose()) else {
        return Ok(());
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let place = existing(file);
    let warning = judged(&place, &mounts, config.database.network_filesystem)?;
    if let Some(kind) = warning {
        let file = file.display();
        tracing::warn!(%file, kind, "the database lies on a file system of a network; it can be damaged there");
    }
    Ok(())
}

/// The nearest folder of the file that exists, without links.
fn existing(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_default();
    let mut folders = absolute.ancestors();
    folders
        .find_map(|folder| folder.canonicalize().ok())
        .unwrap_or_default()
}

/// The file system to warn of, if there is one.
fn judged<'m>(place: &Path, mounts: &'m str, policy: NetworkFilesystem) -> Result<Option<&'m str>> {
    let network = kind(place, mounts).filter(|kind| NETWORK.contains(kind));
    match (network, policy) {
        (Some(kind), NetworkFilesystem::Refuse) => bail!(
            "the database lies on a file system of a network ({kind}, at {}), where its locks and syncs cannot be \
             trusted: move it to a disk of this machine, use PostgreSQL, or say database.network_filesystem = \"allow\"",
            place.display()
        ),
        (network, _) => Ok(network),
    }
}

/// What the path lies on: the mount with the longest path above it, and of several at one place the last.
fn kind<'m>(place: &Path, mounts: &'m str) -> Option<&'m str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let (Some(point), Some(kind)) = (before.split(' ').nth(4), after.split(' ').next()) else {
            continue;
        };
        let point = unescaped(point);
        let depth = Path::new(&point).components().count();
        if place.starts_with(&point) && best.is_none_or(|(most, _)| depth >= most) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind)
}

/// A path as the list writes it: white space and backslashes are octal there.
fn unescaped(path: &str) -> String {
    path.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
        27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
        40 27 0:30 / /mnt/share rw master:2 - nfs4 server:/export rw\n\
        41 40 254:2 / /mnt/share/local rw - xfs /dev/vdb rw\n\
        42 27 0:31 / /mnt/two\\040words rw - cifs //server/share rw\n\
        43 27 0:32 / /mnt/over rw - ext4 /dev/vdc rw\n\
        44 43 0:33 / /mnt/over rw - fuse.sshfs host: rw\n";

    fn check(place: &str, expected: &str) {
        assert_eq!(kind(Path::new(place), MOUNTS), Some(expected), "{place}");
    }

    #[test]
    fn a_path_lies_on_the_nearest_mount_above_it() {
        check("/", "ext4");
        check("/var/lib/plimsoll", "ext4");
        check("/mnt/share/a/b", "nfs4");
        check("/mnt/shared", "ext4");
        check("/mnt/share/local/a", "xfs");
        check("/mnt/two words", "cifs");
        check("/mnt/over", "fuse.sshfs");
        assert_eq!(kind(Path::new("/"), ""), None);
    }

    #[test]
    fn a_file_system_of_a_network_is_refused_unless_it_is_allowed() {
        use NetworkFilesystem::{Allow, Refuse};
        let judged = |place: &str, policy| judged(Path::new(place), MOUNTS, policy);
        let refused = judged("/mnt/share/a", Refuse).unwrap_err().to_string();
        assert!(
            refused.contains("nfs4") && refused.contains("network_filesystem"),
            "{refused}"
        );
        assert_eq!(judged("/mnt/share/a", Allow).unwrap(), Some("nfs4"));
        assert_eq!(judged("/mnt/share/local", Refuse).unwrap(), None);
    }

    #[test]
    fn a_folder_that_is_not_made_yet_lies_where_the_next_one_above_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        assert_eq!(existing(&real.join("not/made/yet.db")), real);
    }
}

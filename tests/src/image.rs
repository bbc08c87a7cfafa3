//! Root folders of the container images; the programs start in them as in a container engine.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::call::finish;
use crate::program::{program, repository};
use crate::wait::PATIENCE;

/// The root folder of an image, made by the script that the Dockerfile runs.
#[derive(Debug)]
pub struct Root {
    folder: TempDir,
    /// The only program in it: `/strongroom-vault`.
    pub program: String,
}

impl Root {
    /// The user of the images, and its group.
    pub const USER: u32 = 65532;

    /// The image of the program `name`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Other users must be able to read the folder, like `/`.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let built = program(name).get_program().to_owned();
        let mut script = Command::new(repository().join("deploy/image-root"));
        let _ = finish(script.arg(built).arg(folder.path().join("root")), b"", PATIENCE).succeeded();
        Self { folder, program: format!("/{name}") }
    }

    /// The path on this machine of the image's path `inside`.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("root").join(inside.trim_start_matches('/'))
    }

    /// A command that runs its program in the folder, as the image's user, with an empty environment. Needs root.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new("chroot");
        command
            .arg(format!("--userspec={0}:{0}", Self::USER))
            .arg("--groups=")
            .arg(self.path("/"))
            .arg(&self.program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Mounts a file that belongs to the image's user.
    pub fn mount(&self, path: &str, text: &str, mode: u32) {
        self.put(path, text.as_bytes(), mode, Self::USER);
    }

    /// Mounts a file of a Secret or ConfigMap, which belongs to root and to the pod's `fsGroup`.
    pub fn mount_for_group(&self, path: &str, content: &[u8], mode: u32) {
        self.put(path, content, mode, 0);
    }

    /// Mounts an empty folder that the user can write to.
    pub fn mount_empty(&self, path: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(&path).unwrap();
        chown(&path, Some(Self::USER), Some(Self::USER)).unwrap();
    }

    fn put(&self, path: &str, content: &[u8], mode: u32, owner: u32) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        chown(&path, Some(owner), Some(Self::USER)).unwrap();
    }
}

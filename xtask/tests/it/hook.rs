//! Does the pre-commit hook stop a commit that breaks a rule, and only that?

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n";
const CRATE: &str = "[package]\nname = \"a\"\nedition = \"2024\"\n";
const GOOD: &str = "//! In its place.\n\n/// One.\npub fn one() -> u8 {\n    1\n}\n";

/// A repository with the hook switched on; `cargo xtask` is the program under test.
struct Repository {
    root: PathBuf,
    bin: PathBuf,
}

impl Repository {
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&root);
        let bin = root.with_extension("bin");
        fs::create_dir_all(&bin).unwrap();
        let stub = format!(
            "#!/bin/sh\nif [ \"$1\" = xtask ]; then shift; exec '{}' \"$@\"; fi\nexec '{}' \"$@\"\n",
            env!("CARGO_BIN_EXE_xtask"),
            env!("CARGO")
        );
        script(&bin.join("cargo"), &stub);
        let repository = Self { root, bin };
        repository.write("Cargo.toml", ROOT);
        repository.write("README.md", "[Here](Cargo.toml).\n");
        repository.write(".gitignore", "Cargo.lock\ntarget\n");
        repository.write("crates/a/Cargo.toml", CRATE);
        let hook = include_str!("../../../.githooks/pre-commit");
        repository.write(".githooks/pre-commit", hook);
        script(&repository.root.join(".githooks/pre-commit"), hook);
        repository.git("git init -q && git config core.hooksPath .githooks");
        repository
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, script: &str) -> (bool, String) {
        let script = format!("PATH='{}':\"$PATH\"; export PATH; {script}", self.bin.display());
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&self.root)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    fn commit(&self) -> (bool, String) {
        self.git("git add -A && git -c user.name=a -c user.email=a@example.com commit -qm x")
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_commit_that_breaks_a_rule_is_refused_until_it_is_mended() {
    let repository = Repository::new("hook");
    repository.write("crates/a/src/lib.rs", "//! Words.\n\npub mod b;\n");
    repository.write("crates/a/src/b/mod.rs", GOOD);
    let (passed, said) = repository.commit();
    assert!(!passed && said.contains("TIDY-PLACE-001"), "{said}");
    assert!(!repository.git("git rev-parse HEAD").0, "nothing was committed");

    fs::remove_file(repository.root.join("crates/a/src/b/mod.rs")).unwrap();
    repository.write("crates/a/src/b.rs", &GOOD.replace("pub fn", "pub  fn"));
    let (passed, said) = repository.commit();
    assert!(!passed && said.contains("Diff in"), "{said}");

    repository.write("crates/a/src/b.rs", GOOD);
    let (passed, said) = repository.commit();
    assert!(passed, "{said}");
}

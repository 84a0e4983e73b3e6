//! A place where a script runs beside a stand-in for the command that it calls,
//! which notes in `calls` what it is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::case::Case;

pub(crate) struct Stage {
    pub(crate) case: Case,
    /// What the script finds in its environment.
    variables: Vec<(&'static str, &'static str)>,
}

impl Stage {
    pub(crate) fn new(
        script: &str,
        (command, stand_in): (&str, &str),
        variables: &[(&'static str, &'static str)],
    ) -> Stage {
        let case = Case::new();
        case.file("script.sh", script);
        let stand_in = case.file(&format!("bin/{command}"), stand_in);
        fs::set_permissions(stand_in, fs::Permissions::from_mode(0o755)).unwrap();
        let mut all = vec![("FLOWCINCH_JOURNAL", "journal")];
        all.extend(variables);
        Stage {
            case,
            variables: all,
        }
    }

    /// Whether it went well, and all that it said.
    pub(crate) fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
        let mut paths = vec![self.case.path("bin")];
        paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let output = Command::new("bash")
            .arg("script.sh")
            .args(args)
            .current_dir(self.case.path("."))
            .env("PATH", std::env::join_paths(paths).unwrap())
            .envs(self.variables.iter().copied())
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    }

    pub(crate) fn does(&self, args: &[&str]) -> String {
        let (done, said) = self.run(args, &[]);
        assert!(done, "{args:?}: {said}");
        said
    }

    /// What was asked, and then forgotten.
    pub(crate) fn calls(&self) -> Vec<String> {
        let path = self.case.path("calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        drop(fs::remove_file(path));
        text.lines().map(str::to_owned).collect()
    }
}

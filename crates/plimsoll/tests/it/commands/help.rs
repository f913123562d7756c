//! Does every command say what it is for? One file holds all of it, so that a change is seen.

use std::fmt::Write as _;

use crate::harness::Home;

/// The names below a `Commands:` heading.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| line.starts_with("  "));
    let word = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    names
        .filter(|line| !line.starts_with("   "))
        .map(word)
        .filter(|name| name != "help")
        .collect()
}

/// The help of a command and of everything below it.
fn all(home: &Home, path: &[String], into: &mut String) {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let ended = home.run(&args);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{args:?}");
    // The options of every command are shown once.
    let own = match ended.stdout.split_once("\nGlobal options:\n") {
        Some((own, _)) if !path.is_empty() => own,
        _ => &ended.stdout,
    };
    writeln!(into, "$ plimsoll {}\n{own}", args.join(" ")).unwrap();
    for name in subcommands(&ended.stdout) {
        all(home, &[path, &[name]].concat(), into);
    }
}

#[test]
fn every_command_has_its_help() {
    let home = Home::sqlite();
    let mut help = String::new();
    all(&home, &[], &mut help);
    assert!(help.matches("$ plimsoll").count() > 15, "{help}");
    insta::assert_snapshot!(help);
}

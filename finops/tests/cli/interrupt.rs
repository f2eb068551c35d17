//! Ctrl-C in `finops run`: answered at once, obeyed within a second, and followed by what was and was not published.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::place::{FINOPS, Place, good};

#[test]
fn a_run_that_waits_for_input_stops_when_asked_and_says_what_was_published() {
    let place = Place::new();
    assert_eq!(place.sh("mkfifo findings.ndjson").code, Some(0));
    let mut child = place
        .command(FINOPS)
        .args(["run", "--tenant", "acme", "--findings", "findings.ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Opens once the program has opened the other end: it listens for signals by then.
    let mut pipe = OpenOptions::new().write(true).open(place.path().join("findings.ndjson")).unwrap();
    pipe.write_all(&[good("acme", "vol-1"), b"\n".to_vec()].concat()).unwrap();
    assert_eq!(place.sh(&format!("kill -INT {}", child.id())).code, Some(0));
    let asked = Instant::now();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut answer = String::new();
    stderr.read_line(&mut answer).unwrap();
    assert_eq!(answer, "stopping in good order …; press Ctrl-C again to stop at once\n");
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    let code = child.wait().unwrap().code();
    // A second on an idle machine; a busy one needs more, a run that waits for its input would need for ever.
    assert!(asked.elapsed() < Duration::from_secs(30), "{said}");
    let expected = "error: stopped while collecting. Nothing was published; no cost facts were stored. Give the same command \
                    again for a complete run\n";
    assert_eq!((code, said.as_str()), (Some(75), expected));
    drop(pipe);
    let verified = place.finops("verify --output json").json(0);
    assert_eq!(verified["findings_rows"], 0, "{verified}");
}

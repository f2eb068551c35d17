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

/// True once the process is frozen; false if that takes longer than anything should.
fn is_frozen(process: u32) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(120) {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        if stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T ")) {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// Exports of many tenants take long: the one that is begun is done, the others are left, and the run says so.
#[test]
fn a_run_that_is_stopped_while_it_exports_says_how_many_tenants_it_has_left() {
    let place = Place::new();
    for tenant in ["acme", "globex", "umbrella"] {
        place.write(&format!("{tenant}.ndjson"), [good(tenant, "vol-1"), good(tenant, "vol-2")].join(&b'\n'));
    }
    // Each tenant has more findings than a list may have, so none of them is built together with another.
    place.write("finops.toml", "exporter.findings_max = 1\n");
    for tenant in ["acme", "globex"] {
        let ran = place.finops(&format!("run --tenant {tenant} --findings {tenant}.ndjson"));
        assert_eq!(ran.code, Some(0), "{ran}");
    }
    assert_eq!(place.sh("rm -r data/export").code, Some(0));
    let child = place
        .command(FINOPS)
        .args(["run", "--tenant", "umbrella", "--findings", "umbrella.ndjson"])
        .env("FINOPS_FAILPOINT", "exporter.export.begin:1:stop")
        // One build at a time.
        .env("FINOPS_EXPORTER_MEMORY_BYTES_MAX", "1GiB")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let process = child.id();
    assert!(is_frozen(process), "it exports");
    assert_eq!(place.sh(&format!("kill -TERM {process}; kill -CONT {process}")).code, Some(0));
    let ended = super::place::Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(75), "{ended}");
    let exported = place.sh("ls -d data/export/*/ | wc -l").text().trim().parse::<usize>().unwrap();
    let left = format!("stopped: all findings are written, the files of {} tenant(s) are not exported", 3 - exported);
    assert!((1..3).contains(&exported) && ended.stderr.contains(&left), "{exported}: {ended}");
    let rest = place.finops("exporter once");
    assert_eq!((rest.code, place.sh("ls -d data/export/*/ | wc -l").text().trim()), (Some(0), "3"), "{rest}");
}

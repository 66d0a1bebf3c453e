//! A sample of the fault matrix on a real control plane, with moto: in each command of many lives one call goes wrong, on its way there or
//! back. The command succeeds, or tells one error, and then succeeds undisturbed.

use crate::accident::{Accident, Refusal};
use crate::between::{Calls, Moment};
use crate::life::Life;
use crate::own::Turn;
use crate::stage::eventually;
use crate::support::Run;

const NAME: &str = "faults";

/// One thing that goes wrong.
struct Fault {
    calls: Calls,
    moment: fn(u32) -> Moment,
    accident: Accident,
    /// Whether time or a second look heals it, so that the command succeeds.
    heals: bool,
}

const fn refusal(ec2: (u16, &'static str), kubernetes: (u16, &'static str)) -> Refusal {
    Refusal {
        ec2,
        kubernetes,
        retry_after: None,
    }
}

const BROKEN: Refusal = refusal((500, "InternalError"), (500, "InternalError"));
const AWAY: Refusal = refusal((503, "Unavailable"), (503, "ServiceUnavailable"));
const THROTTLED: Refusal = refusal((503, "RequestLimitExceeded"), (429, "TooManyRequests"));
const WAIT: Refusal = Refusal {
    retry_after: Some(1),
    ..THROTTLED
};
const EXPIRED: Refusal = refusal((400, "RequestExpired"), (401, "Unauthorized"));
const CONFLICT: Refusal = refusal((400, "IncorrectState"), (409, "Conflict"));
const FORBIDDEN: Refusal = refusal((403, "UnauthorizedOperation"), (403, "Forbidden"));

const fn before(calls: Calls, accident: Accident) -> Fault {
    Fault {
        calls,
        moment: Moment::Before,
        accident,
        heals: true,
    }
}

const fn after(calls: Calls, accident: Accident) -> Fault {
    Fault {
        moment: Moment::After,
        ..before(calls, accident)
    }
}

const fn refused(calls: Calls, refusal: &'static Refusal) -> Fault {
    Fault {
        heals: false,
        ..before(calls, Accident::Refused(refusal))
    }
}

const FAULTS: [Fault; 26] = [
    before(Calls::Changes, Accident::Refused(&BROKEN)),
    after(Calls::Reads, Accident::Cut),
    after(Calls::Changes, Accident::Closed),
    before(Calls::Watches, Accident::Gone),
    after(Calls::Changes, Accident::Hang),
    before(Calls::Reads, Accident::Refused(&WAIT)),
    refused(Calls::Changes, &CONFLICT),
    after(Calls::Changes, Accident::Garbled),
    before(Calls::Reads, Accident::Hang),
    before(Calls::Changes, Accident::Refused(&WAIT)),
    before(Calls::Watches, Accident::Closed),
    after(Calls::Changes, Accident::Cut),
    before(Calls::Changes, Accident::Refused(&EXPIRED)),
    before(Calls::Reads, Accident::Closed),
    before(Calls::Changes, Accident::Hang),
    refused(Calls::Changes, &FORBIDDEN),
    after(Calls::Reads, Accident::Garbled),
    before(Calls::Changes, Accident::Refused(&AWAY)),
    before(Calls::Watches, Accident::Refused(&BROKEN)),
    before(Calls::Changes, Accident::Closed),
    before(Calls::Reads, Accident::Refused(&EXPIRED)),
    before(Calls::Changes, Accident::Refused(&THROTTLED)),
    before(Calls::Reads, Accident::Refused(&BROKEN)),
    before(Calls::Watches, Accident::Refused(&WAIT)),
    refused(Calls::Reads, &FORBIDDEN),
    before(Calls::Reads, Accident::Refused(&AWAY)),
];

/// So many lives are played where not all are wanted (`MOORLINE_MATRIX=all`): among them every fault is met in some command.
const SAMPLE: usize = 9;
/// A fault strikes one of so many first calls of its sort.
const PLACES: usize = 6;

/// Runs a command in which something goes wrong, and to its end.
fn survives(life: &Life, command: &str, index: usize, met: &mut usize) {
    let fault = &FAULTS[index % FAULTS.len()];
    let moment = (fault.moment)(1 + u32::try_from(index % PLACES).unwrap());
    let mut child = life.runs.moorline(command);
    child.env("MOORLINE_CALL_TIMEOUT", "2s");
    let (output, is_met) = life.between.disturb(child, fault.calls, moment, fault.accident);
    *met += usize::from(is_met);
    let run = Run::of(command, &output);
    let name = format!("{command}: {:?} {moment:?} {:?}", fault.calls, fault.accident);
    let told = format!("{name}: exit {:?}\n{}{}", run.code, run.stdout, run.stderr);
    assert!(!run.stderr.contains("panicked"), "{told}");
    if run.code == Some(0) {
        return;
    }
    assert!(!fault.heals && matches!(run.code, Some(1 | 3)), "{told}");
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("made to fail"), "{told}");
    assert!(said.contains("; ") || said.contains("hint:"), "{told}");
    let again = life.runs.run(command);
    assert_eq!(
        again.code,
        Some(0),
        "{told}\nrun again:\n{}{}",
        again.stdout,
        again.stderr
    );
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_call_of_every_command_goes_wrong() {
    let mut life = Life::new(NAME, Turn::of(1));
    life.keeps("delete");
    let up = format!("up {} --yes", life.folder);
    let scale = format!("scale {} {NAME} --replicas 3 --yes", life.folder);
    let down = format!("down {} --yes", life.folder);
    let lives = match std::env::var("MOORLINE_MATRIX") {
        Ok(extent) if extent == "all" => FAULTS.len(),
        _ => SAMPLE,
    };
    let mut met = 0;
    for index in 0..lives {
        survives(&life, &up, index, &mut met);
        survives(&life, &scale, index + SAMPLE, &mut met);
        life.has(3);
        survives(&life, &down, index + 2 * SAMPLE, &mut met);
        life.has(0);
    }
    life.runs.run(&up).succeeds();
    life.loses_its_set();
    let collect = format!("gc --apply --policy {}", life.policy);
    let mut index = 0;
    survives(&life, &collect, index, &mut met);
    eventually("grace is over", || {
        index += 1;
        survives(&life, &collect, index, &mut met);
        life.volumes().is_empty()
    });
    life.has(0);
    // A command may make fewer calls of a sort than are let pass.
    assert!(met >= 2 * lives, "only {met} faults were met in {lives} lives");
}

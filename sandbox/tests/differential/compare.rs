//! What is different between two runs of a sequence.

use std::fmt::Write as _;

use serde_json::Value;

use crate::sequence::{Answer, Sequence, Step};

/// The first step at which two servers differ. What follows from it is not looked at.
pub(crate) struct Difference {
    pub(crate) step: usize,
    /// Pointer, the real server's value, the sandbox's.
    pub(crate) places: Vec<(String, Value, Value)>,
}

/// Compares what the real server answered with what the sandbox did.
pub(crate) fn compare(real: &[Answer], sandbox: &[Answer]) -> Option<Difference> {
    assert_eq!(real.len(), sandbox.len());
    real.iter()
        .zip(sandbox)
        .enumerate()
        .find_map(|(step, (real, sandbox))| {
            let [real, sandbox] = [real, sandbox].map(|answer| serde_json::to_value(answer).unwrap());
            let mut places = Vec::new();
            walk(&real, &sandbox, String::new(), &mut places);
            (!places.is_empty()).then_some(Difference { step, places })
        })
}

fn walk(real: &Value, sandbox: &Value, at: String, places: &mut Vec<(String, Value, Value)>) {
    match (real, sandbox) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                walk(
                    &real[key.as_str()],
                    &sandbox[key.as_str()],
                    format!("{at}/{key}"),
                    places,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                walk(a, b, format!("{at}/{index}"), places);
            }
        }
        (a, b) if a == b => {}
        (a, b) => places.push((at, a.clone(), b.clone())),
    }
}

impl Difference {
    /// Whether it is in what the controllers came to.
    pub(crate) fn is_settled(&self, sequence: &Sequence) -> bool {
        sequence.steps[..=self.step].contains(&Step::Settle)
    }

    /// What it is about, so that many finds of the same thing can be told from many things.
    pub(crate) fn signature(&self, sequence: &Sequence) -> String {
        let line = match &sequence.steps[self.step] {
            Step::Settle => "settle",
            Step::Call(call) => call.line.split(['?', '$']).next().unwrap_or_default(),
        };
        let (place, real, sandbox) = &self.places[0];
        let place: Vec<&str> = place.split('/').filter(|part| part.parse::<u32>().is_err()).collect();
        let short = |value: &Value| value.to_string().chars().take(160).collect::<String>();
        format!("{line} {} {} {}", place.join("/"), short(real), short(sandbox))
    }

    /// For a person.
    pub(crate) fn report(&self, sequence: &Sequence) -> String {
        let mut text = format!(
            "step {} of\n{}\n",
            self.step + 1,
            serde_json::to_string_pretty(sequence).unwrap()
        );
        for (place, real, sandbox) in self.places.iter().take(20) {
            let _ = writeln!(text, "{place}\n  real:    {real}\n  sandbox: {sandbox}");
        }
        text
    }
}

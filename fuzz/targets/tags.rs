//! Tags as other people may have written them: marks, metadata of shares, tags of resources.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use moorline_api::{Object, tags};
use moorline_gc::Mark;

fuzz_target!(|text: &str| {
    if let Ok(mark) = text.parse::<Mark>() {
        // A mark may be written in other words for the same moment: what is read of those is the same mark.
        assert_eq!(
            mark.to_string().parse::<Mark>().map(|mark| mark.to_string()).ok(),
            Some(mark.to_string())
        );
    }
    if let Ok(metadata) = serde_json::from_str::<BTreeMap<String, String>>(text) {
        let _ = moorline_azure::fuzzing::decoded(&metadata);
        let ours: BTreeMap<_, _> = metadata
            .into_iter()
            .filter(|(key, _)| key.starts_with("moorline.dev/"))
            .collect();
        assert_eq!(moorline_azure::fuzzing::there_and_back(&ours), ours);
        assert_eq!(moorline_azure::fuzzing::there_and_back_on_a_resource(&ours), ours);
    }
    if let Some(volume) = serde_json::from_str(text)
        .ok()
        .and_then(|value| Object::from_value(value).ok())
    {
        let _ = tags::of_persistent_volume(&volume);
    }
});

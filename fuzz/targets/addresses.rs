//! Addresses and connection strings, which may have secrets in them: what is refused, and what is shown, repeats none.
#![no_main]

mod harmless;

use libfuzzer_sys::fuzz_target;
use moorline_azure::StorageConnection;
use moorline_store::Location;

fuzz_target!(|text: &str| {
    match text.parse::<Location>() {
        Ok(location @ (Location::S3 { .. } | Location::AzureBlob { .. })) => {
            let shown = location.to_string();
            assert!(
                !shown.contains('@') || text.split('/').skip(3).any(|part| part.contains('@')),
                "{shown:?}"
            );
        }
        Ok(Location::Folder(_)) => {}
        Err(error) => harmless::assert_harmless(&error.to_string()),
    }
    match StorageConnection::parse(text) {
        Ok(connection) => {
            let shown = format!("{connection:?}");
            let key = text.split(';').find_map(|part| part.trim().strip_prefix("AccountKey="));
            assert!(
                key.is_none_or(|key| key.len() < 16 || !shown.contains(key.trim())),
                "{shown}"
            );
        }
        Err(error) => harmless::assert_harmless(&error),
    }
});

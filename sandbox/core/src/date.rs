//! The `Date` of every answer: by it clients know the cloud's time, which here is the sandbox's and not the machine's.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response_with_state;
use axum::response::Response;
use jiff::Timestamp;

use crate::Clock;

/// The same router, whose answers all say what `clock` shows when they leave.
pub fn dated(router: Router, clock: Clock) -> Router {
    router.layer(map_response_with_state(clock, date))
}

async fn date(State(clock): State<Clock>, mut response: Response) -> Response {
    // Text of digits, letters, commas and colons is always a header.
    if let Ok(value) = HeaderValue::from_str(&http_date(clock.now())) {
        response.headers_mut().insert(header::DATE, value);
    }
    response
}

/// `Sat, 21 Nov 2026 18:35:45 GMT`, as RFC 9110 has it.
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::Journal;

    #[test]
    fn a_date_is_written_as_http_has_it() {
        assert_eq!(http_date(Timestamp::UNIX_EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[tokio::test]
    async fn answers_bear_the_moved_clock_also_where_nothing_is_found() {
        let clock = Clock::default();
        let router = dated(Router::new().route("/", get(async || "here")), clock.clone());
        clock.advance(40 * 24 * 3600, &Journal::in_memory()).unwrap();
        for path in ["/", "/nowhere"] {
            let before = clock.now();
            let request = Request::get(path).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            let shown = answer.headers()[header::DATE].to_str().unwrap();
            let expected: Vec<_> = [before, clock.now()].map(http_date).into();
            assert!(expected.iter().any(|date| date == shown), "{path}: {shown}");
        }
    }
}

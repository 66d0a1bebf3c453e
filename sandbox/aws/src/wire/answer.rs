//! Answers in the shape of each service.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use uuid::Uuid;

use super::xml::Xml;
use crate::error::AwsError;

/// The services of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Ec2,
    /// Classic load balancers.
    Elb,
    /// Network and application load balancers.
    ElbV2,
    Sts,
}

impl Service {
    /// The service whose API has this version.
    pub(crate) fn of_version(version: &str) -> Option<Self> {
        match version {
            "2016-11-15" => Some(Self::Ec2),
            "2012-06-01" => Some(Self::Elb),
            "2015-12-01" => Some(Self::ElbV2),
            "2011-06-15" => Some(Self::Sts),
            _ => None,
        }
    }

    /// Its name in the audit and in fault rules.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Elb => "elb",
            Self::ElbV2 => "elbv2",
            Self::Sts => "sts",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15/",
            Self::Elb => "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/",
            Self::ElbV2 => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }

    /// What it calls being asked too often.
    pub(crate) fn throttled(self) -> AwsError {
        match self {
            Self::Ec2 => AwsError::new("RequestLimitExceeded", "Request limit exceeded.").with_status(503),
            _ => AwsError::new("Throttling", "Rate exceeded"),
        }
    }
}

/// The answer of a call that succeeded.
pub(crate) fn success(service: Service, operation: &str, content: impl FnOnce(&mut Xml)) -> Response {
    let id = Uuid::new_v4().to_string();
    let root = format!("{operation}Response");
    let text = Xml::document(&root, Some(service.namespace()), |xml| {
        if service == Service::Ec2 {
            xml.text("requestId", &id);
            content(xml);
        } else {
            xml.element(&format!("{operation}Result"), content);
            xml.element("ResponseMetadata", |xml| xml.text("RequestId", &id));
        }
    });
    respond(StatusCode::OK, &id, text)
}

/// The answer of a call that failed.
pub(crate) fn failure(service: Service, error: &AwsError) -> Response {
    let id = Uuid::new_v4().to_string();
    let text = if service == Service::Ec2 {
        Xml::document("Response", None, |xml| {
            xml.list(("Errors", "Error"), [error], |xml, error| {
                xml.text("Code", &error.code);
                xml.text("Message", &error.message);
            });
            xml.text("RequestID", &id);
        })
    } else {
        Xml::document("ErrorResponse", Some(service.namespace()), |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
                xml.text("Code", &error.code);
                xml.text("Message", &error.message);
            });
            xml.text("RequestId", &id);
        })
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, &id, text);
    if let Some(seconds) = error.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn respond(status: StatusCode, id: &str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

//! A bare client of the sandbox's EC2, for what happens behind moorline's back.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::Served;

/// Calls that one account makes in one region.
pub struct Ec2 {
    address: String,
}

impl Ec2 {
    /// The account of a served sandbox.
    pub fn of(served: &Served) -> Self {
        let endpoint = served.variable("AWS_ENDPOINT_URL");
        Self {
            address: endpoint.strip_prefix("http://").unwrap().to_owned(),
        }
    }

    /// Detaches a volume and deletes it, as somebody might in the console.
    pub fn destroy(&self, volume: &str) {
        self.call(&format!("Action=DetachVolume&Force=true&VolumeId={volume}"));
        self.call(&format!("Action=DeleteVolume&VolumeId={volume}"));
    }

    /// Detaches a volume.
    pub fn detach(&self, volume: &str) {
        self.call(&format!("Action=DetachVolume&Force=true&VolumeId={volume}"));
    }

    /// Sets a tag.
    pub fn tag(&self, resource: &str, key: &str, value: &str) {
        self.call(&format!(
            "Action=CreateTags&ResourceId.1={resource}&Tag.1.Key={key}&Tag.1.Value={value}"
        ));
    }

    /// Makes a call, which is to succeed, and gives its answer.
    pub fn call(&self, form: &str) -> String {
        let body = format!("{form}&Version=2016-11-15");
        let head =
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0";
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nAuthorization: {head}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{form}: {answer}");
        answer
    }
}

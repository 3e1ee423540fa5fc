//! A broker with TLS, SASL/SCRAM-SHA-512 and ACLs on a listener beside the one that everybody may use.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::Kafka;
use crate::free_port;

/// What an ACL is for.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Resource {
    Topic,
    Group,
}

/// What an ACL allows; READ and WRITE include DESCRIBE.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Operation {
    Read,
    Write,
    Describe,
}

impl Kafka {
    /// A broker whose [`secure_bootstrap`](Self::secure_bootstrap) shows this certificate (PEM, with its key in PKCS#8), takes
    /// these users with their passwords, and lets them do what they have been [allowed](Self::allow).
    pub async fn secured(certificate: &str, key: &str, users: &[(&str, &str)]) -> Self {
        // As `java.util.Properties` has it.
        let (certificate, key) = (certificate.replace('\n', "\\n"), key.replace('\n', "\\n"));
        let properties = [
            ("listener.security.protocol.map", "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL"),
            ("listener.name.secure.ssl.keystore.type", "PEM"),
            ("listener.name.secure.ssl.keystore.certificate.chain", &certificate),
            ("listener.name.secure.ssl.keystore.key", &key),
            ("listener.name.secure.sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            (
                "listener.name.secure.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            // Who comes by the listener without a password: the tests.
            ("super.users", "User:ANONYMOUS"),
        ];
        let user =
            |(name, password)| ["--add-scram".to_owned(), format!("SCRAM-SHA-512=[name={name},password={password}]")];
        let users: Vec<String> = users.iter().copied().flat_map(user).collect();
        Self::launch(1, &properties, Some(free_port()), 0, &users).await
    }

    /// The address for `bootstrap.servers` of those who come with a password.
    pub fn secure_bootstrap(&self) -> String {
        format!("localhost:{}", self.secure.expect("it has been started as secured"))
    }

    /// Allows a user something. librdkafka has a call for it and rdkafka none, so this is Kafka's
    /// CreateAcls request, version 1.
    pub fn allow(&self, user: &str, operation: Operation, resource: Resource, name: &str) {
        const CREATE_ACLS: [u8; 2] = 30_u16.to_be_bytes();
        const VERSION: [u8; 2] = 1_u16.to_be_bytes();
        const CORRELATION_ID: [u8; 4] = [0; 4];
        const ONE: [u8; 4] = 1_u32.to_be_bytes();
        const LITERAL: u8 = 3;
        const ALLOW: u8 = 3;
        let resource = match resource {
            Resource::Topic => 2,
            Resource::Group => 3,
        };
        let operation = match operation {
            Operation::Read => 3,
            Operation::Write => 4,
            Operation::Describe => 8,
        };
        let request = [
            &[&CREATE_ACLS[..], &VERSION, &CORRELATION_ID, &string("testkit"), &ONE].concat(),
            &[&[resource][..], &string(name), &[LITERAL], &string(&format!("User:{user}")), &string("*")].concat(),
            &[operation, ALLOW][..],
        ]
        .concat();
        let length = u32::try_from(request.len()).expect("it is short").to_be_bytes();

        let mut stream = TcpStream::connect(&self.bootstrap).expect("the broker listens");
        stream.write_all(&[&length[..], &request].concat()).expect("the broker reads");
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("the broker answers");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).expect("the broker answers");
        // After the correlation id, the throttle time and the number of results.
        assert_eq!(answer[12..14], [0, 0], "the broker refuses: {answer:?}");
    }
}

/// Its length in two bytes before it.
fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("it is short");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

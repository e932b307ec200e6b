//! `brokers`, `tls` and `sasl`, as librdkafka is told of them.

use config::{
    Environment, Fault, Placed,
    document::Real,
    kafka::{Broker, KafkaFiles, KafkaTls, Sasl, SaslMechanism},
};
use net::{
    kafka::{self, Cluster, Mechanism},
    tls::ClientFiles,
};
use std::path::Path;

/// The Kafka cluster of these brokers.
pub(super) fn cluster(
    brokers: &Placed<Vec<Broker>>,
    client_id: &str,
    (tls, sasl): (Option<&KafkaTls>, Option<&Sasl>),
    folder: &Path,
) -> Result<Cluster, Fault> {
    let files = tls.map(|tls| tls.files(folder)).transpose()?;
    let files = files.map(|KafkaFiles { ca, identity }| ClientFiles { ca, identity, server_name: None });
    let sasl = sasl.map(|sasl| kafka::Sasl {
        mechanism: match sasl.mechanism {
            SaslMechanism::Plain => Mechanism::Plain,
            SaslMechanism::ScramSha256 => Mechanism::ScramSha256,
            SaslMechanism::ScramSha512 => Mechanism::ScramSha512,
        },
        user: sasl.user.clone(),
        password: sasl.password.expose().to_owned(),
    });
    let hosts: Vec<String> = brokers.iter().map(|broker| broker.0.clone()).collect();
    Cluster::new(&hosts, client_id, files, sasl, |path| Real.file(&path.to_string_lossy())).map_err(|error| {
        let fault = tls.and_then(|tls| tls.fault(error.to_string()));
        fault.unwrap_or_else(|| brokers.fault(error.to_string()))
    })
}

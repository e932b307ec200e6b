//! `brokers`, `tls` and `sasl`, as librdkafka is told of them.

use config::{
    Environment, Fault, Placed,
    document::Real,
    kafka::{self, Broker, KafkaFiles, KafkaTls, Sasl},
};
use net::{kafka::Cluster, tls::ClientFiles};
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
    let sasl = sasl.map(|Sasl { mechanism, user, password }| net::kafka::Sasl {
        mechanism: mechanism.word(),
        user: user.clone(),
        password: password.expose().to_owned(),
    });
    let hosts: Vec<String> = brokers.iter().map(|broker| broker.0.clone()).collect();
    let read = |path: &Path| Real.file(&path.to_string_lossy());
    Cluster::new(&hosts, client_id, files, sasl, read).map_err(|error| kafka::fault(brokers, tls, &error.to_string()))
}

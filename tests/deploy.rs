//! The manifests of `deploy/`, read as Kubernetes would: every pipeline in them is good, and every container is started, probed, bounded and ended as promised.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "it reads manifests and lays them out for `check`")]

use kit::{Said, process::command, repository};
use serde_json::{Value, json};
use std::path::Path;

const MANIFESTS: [&str; 6] = ["sidecar.yaml", "agent.yaml", "gateway.yaml", "front.yaml", "consumer.yaml", "forward.yaml"];

/// The documents of a manifest.
fn documents(manifest: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(repository("deploy").join(manifest)).unwrap();
    serde_yaml::from_multiple(&text).unwrap_or_else(|e| panic!("{manifest}: {e}"))
}

fn of_kind<'a>(documents: &'a [Value], kinds: &[&str]) -> &'a Value {
    documents.iter().find(|d| kinds.contains(&d["kind"].as_str().unwrap())).unwrap_or_else(|| panic!("no {kinds:?}"))
}

/// The pod that a manifest runs kansoku in, and its container.
fn pod(documents: &[Value]) -> (&Value, &Value) {
    let pod = &of_kind(documents, &["Deployment", "DaemonSet", "StatefulSet"])["spec"]["template"]["spec"];
    let all = ["initContainers", "containers"].into_iter().filter_map(|list| pod[list].as_array()).flatten();
    (pod, all.into_iter().find(|c| c["name"] == "kansoku").unwrap())
}

/// Writes a ConfigMap's files where a container would find them.
fn laid_out(documents: &[Value], folder: &Path) {
    for (name, text) in of_kind(documents, &["ConfigMap"])["data"].as_object().unwrap() {
        std::fs::write(folder.join(name), text.as_str().unwrap()).unwrap();
    }
}

#[test]
fn every_pipeline_in_them_is_good() {
    for manifest in MANIFESTS {
        let (documents, folder) = (documents(manifest), tempfile::tempdir().unwrap());
        laid_out(&documents, folder.path());
        let (_, container) = pod(&documents);
        let file = folder.path().join("pipeline.yaml");
        let mut check = command(&["check", "--deny-warnings", file.to_str().unwrap()]);
        for variable in container["env"].as_array().into_iter().flatten() {
            check.env(variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap_or("from-the-downward-api"));
        }
        let said = Said::of(&mut check);
        assert_eq!(said.code, 0, "{manifest}: {}", said.err);
    }
}

#[test]
fn every_container_is_started_with_words_that_exist() {
    let help = Said::of(&mut command(&["--help"])).fine();
    for manifest in MANIFESTS {
        let documents = documents(manifest);
        let (pod, container) = pod(&documents);
        let words: Vec<&str> = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let [run, file, "--watch"] = words[..] else { panic!("{manifest}: {words:?}") };
        for word in [run, container["startupProbe"]["exec"]["command"][1].as_str().unwrap()] {
            assert!(
                help.lines().any(|line| line.trim_start().starts_with(&format!("{word} "))),
                "{manifest}: `{word}` is no command:\n{help}"
            );
        }
        let (folder, name) = file.rsplit_once('/').unwrap();
        let mount = container["volumeMounts"].as_array().unwrap().iter().find(|m| m["mountPath"] == folder).unwrap();
        let volume = pod["volumes"].as_array().unwrap().iter().find(|v| v["name"] == mount["name"]).unwrap();
        let map = of_kind(&documents, &["ConfigMap"]);
        assert_eq!(volume["configMap"]["name"], map["metadata"]["name"], "{manifest}");
        assert!(map["data"][name].is_string(), "{manifest}: {file} is not in the ConfigMap");
    }
}

#[test]
fn every_container_is_probed_bounded_and_given_time_to_drain() {
    for manifest in MANIFESTS {
        let documents = documents(manifest);
        let (pod, container) = pod(&documents);
        assert_eq!(pod["terminationGracePeriodSeconds"], 40, "{manifest}");
        assert_eq!(container["startupProbe"]["exec"]["command"], json!(["/kansoku", "health"]), "{manifest}");
        assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez", "{manifest}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{manifest}");
        let (security, of_pod) = (&container["securityContext"], &pod["securityContext"]);
        assert_eq!(
            (&security["readOnlyRootFilesystem"], &security["allowPrivilegeEscalation"]),
            (&json!(true), &json!(false)),
            "{manifest}"
        );
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{manifest}");
        let user = if security["runAsUser"].is_null() { &of_pod["runAsUser"] } else { &security["runAsUser"] };
        assert_eq!(*user, if manifest == "agent.yaml" { 0 } else { 65532 }, "{manifest}");
        let probes = container["ports"].as_array().unwrap().iter().find(|port| port["name"] == "probes").unwrap();
        let pipeline = of_kind(&documents, &["ConfigMap"])["data"]["pipeline.yaml"].as_str().unwrap();
        assert!(pipeline.contains(&format!("probes: {{ listen: 0.0.0.0:{} }}", probes["containerPort"])), "{manifest}: {pipeline}");
        assert!(pipeline.contains("drain: 25s"), "{manifest}: the drain ends before the grace does");
    }
}

#[test]
fn the_sidecar_is_a_native_one_of_small_size_with_an_app_pointed_at_it() {
    let documents = documents("sidecar.yaml");
    let (pod, container) = pod(&documents);
    assert_eq!((&pod["initContainers"][0]["name"], &container["restartPolicy"]), (&json!("kansoku"), &json!("Always")));
    assert_eq!(
        (&container["resources"]["requests"]["memory"], &container["resources"]["limits"]["memory"]),
        (&json!("64Mi"), &json!("128Mi"))
    );
    assert!(container["readinessProbe"].is_null(), "a sidecar's readiness would take its app out of service");
    let app = pod["containers"][0]["env"].as_array().unwrap();
    let value = |name: &str| &app.iter().find(|v| v["name"] == name).unwrap_or_else(|| panic!("no {name}"))["value"];
    assert_eq!(*value("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://127.0.0.1:4318");
    for name in ["OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"] {
        assert_eq!(*value(name), "otlp", "{name}");
    }
    assert!(app.iter().any(|v| v["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"), "the pod's name comes from the downward API");
}

#[test]
fn state_lies_where_it_outlives_what_it_has_to() {
    let agent = documents("agent.yaml");
    let (pod_of_agent, _) = pod(&agent);
    assert_eq!(of_kind(&agent, &["DaemonSet"])["kind"], "DaemonSet");
    assert!(pod_of_agent["volumes"].as_array().unwrap().iter().any(|v| v["hostPath"]["path"] == "/var/lib/kansoku"));
    let claims = |manifest: &str| -> Vec<String> {
        let documents = documents(manifest);
        let claims = of_kind(&documents, &["StatefulSet"])["spec"]["volumeClaimTemplates"].as_array().unwrap();
        claims.iter().map(|claim| claim["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(claims("gateway.yaml"), ["journal", "store"]);
    assert_eq!(claims("consumer.yaml"), ["store"], "the topic is its journal");
    for manifest in ["front.yaml", "forward.yaml"] {
        let documents = documents(manifest);
        let volumes = pod(&documents).0["volumes"].as_array().unwrap().clone();
        assert!(volumes.iter().all(|volume| volume["configMap"].is_object()), "{manifest}: nothing rests on a disk: {volumes:?}");
    }
}

#[test]
fn a_service_leads_to_ports_that_the_container_has() {
    for manifest in ["gateway.yaml", "front.yaml", "consumer.yaml", "forward.yaml"] {
        let documents = documents(manifest);
        let (_, container) = pod(&documents);
        let labels = &of_kind(&documents, &["Deployment", "StatefulSet"])["spec"]["template"]["metadata"]["labels"];
        for service in documents.iter().filter(|document| document["kind"] == "Service") {
            assert_eq!(service["spec"]["selector"], *labels, "{manifest}");
            for port in service["spec"]["ports"].as_array().unwrap() {
                let ports = container["ports"].as_array().unwrap();
                assert!(ports.iter().any(|p| p["name"] == port["targetPort"] && p["containerPort"] == port["port"]), "{manifest}: {port}");
            }
        }
    }
}

#[test]
fn a_consumer_keeps_its_name_over_a_restart() {
    let documents = documents("consumer.yaml");
    let (_, container) = pod(&documents);
    let named = container["env"].as_array().unwrap().iter().find(|v| v["name"] == "POD_NAME").unwrap();
    assert_eq!(named["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
    let pipeline = of_kind(&documents, &["ConfigMap"])["data"]["pipeline.yaml"].as_str().unwrap();
    assert!(pipeline.contains("instance: \"${env:POD_NAME}\""), "{pipeline}");
    assert!(!pipeline.contains("journal:"), "{pipeline}");
}

#[test]
fn the_first_tier_is_pointed_at_the_addresses_of_all_gateways() {
    let (front, gateway) = (documents("front.yaml"), documents("gateway.yaml"));
    let endpoint = pod(&front).1["env"][0]["value"].as_str().unwrap();
    let headless = gateway.iter().find(|document| document["spec"]["clusterIP"] == "None").unwrap();
    let name = headless["metadata"]["name"].as_str().unwrap();
    assert_eq!(endpoint, format!("dns:///{name}:{}", headless["spec"]["ports"][0]["port"]));
    assert_eq!(of_kind(&gateway, &["StatefulSet"])["spec"]["serviceName"], name);
}

#[test]
fn the_image_is_built_as_the_manifests_expect() {
    let text = std::fs::read_to_string(repository("deploy/Containerfile")).unwrap();
    for line in
        ["ARG PROFILE=dist", "cargo build --locked --profile ${PROFILE} --bin kansoku", "USER 65532:65532", "ENTRYPOINT [\"/kansoku\"]"]
    {
        assert!(text.contains(line), "{line}");
    }
    let toolchain = std::fs::read_to_string(repository("rust-toolchain.toml")).unwrap();
    let channel = toolchain.lines().find_map(|l| l.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(text.contains(&format!("RUSTUP_TOOLCHAIN={channel}")), "the image's toolchain is the repository's");
}

/// What Prometheus reads of a rule, and that every metric in it is one that kansoku has.
#[test]
fn the_alert_rules_are_ones_that_prometheus_loads_about_metrics_that_exist() {
    let file = &documents("alerts.yaml")[0];
    let sources = ["pipeline/meter.rs", "api/figures.rs"].map(|file| std::fs::read_to_string(repository(file)).unwrap()).concat();
    let known: Vec<&str> = sources.split('"').filter(|word| word.starts_with("kansoku_")).collect();
    let mut names = Vec::new();
    for rule in file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let keys: Vec<&str> = rule.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(keys.iter().all(|key| ["alert", "expr", "for", "labels", "annotations"].contains(key)), "{keys:?}");
        let expr = rule["expr"].as_str().unwrap();
        let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("kansoku_"));
        let words: Vec<&str> = words.collect();
        assert!(!words.is_empty() && words.iter().all(|word| known.contains(word)), "{expr}");
        assert!(rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(), "{rule}");
        names.push(rule["alert"].as_str().unwrap());
    }
    for what in ["KansokuLost", "KansokuHeldTooLong", "KansokuJournalFilling"] {
        assert!(names.contains(&what), "{names:?}");
    }
}

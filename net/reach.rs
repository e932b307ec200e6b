//! Where a webhook may lead. A cloud's metadata service hands out the machine's credentials to whoever asks from it, at a link-local address: a URL that leads
//! there, by its name, by a number written in another way, or by a name that changed its mind, is not called.

use futures::future::BoxFuture;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Addresses of metadata services that are not link-local: AWS and Google on IPv6, Alibaba, Oracle.
const METADATA_V6: [Ipv6Addr; 2] = [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];

/// A webhook would lead to such an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is link-local, where metadata services hand out credentials: no webhook goes there")]
pub struct Forbidden(String);

/// Whether a webhook may go there, as far as the URL alone tells: what a name stands for is looked at when it is called.
///
/// # Errors
/// It is such an address, however it is written: the host of a `Url` is in one form only.
pub fn check(url: &Url) -> Result<(), Forbidden> {
    let host = url.host_str().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) if is_forbidden(address) => Err(Forbidden(host.to_owned())),
        _ => Ok(()),
    }
}

fn is_forbidden(address: IpAddr) -> bool {
    let v4 = |address: Ipv4Addr| address.is_link_local() || METADATA_V4.contains(&address);
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => address.is_unicast_link_local() || METADATA_V6.contains(&address) || within(address).is_some_and(v4),
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, behind NAT64 (RFC 6052), by 6to4 (RFC 3056).
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

/// Looks names up for each connection and hands on what may be connected to, so that what was checked is what is called. A proxy that the environment names
/// looks names up by itself.
pub(crate) struct Checked(pub(crate) LookUp);

/// What a name stands for now.
pub(crate) type LookUp = fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

/// As the machine looks names up.
pub(crate) fn by_the_machine(name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.0(name.as_str().to_owned());
        Box::pin(async move {
            let allowed: Addrs = Box::new(allowed(name.as_str(), found.await?)?.into_iter());
            Ok(allowed)
        })
    }
}

fn allowed(name: &str, found: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let (forbidden, allowed): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| is_forbidden(address.ip()));
    match forbidden.first() {
        Some(first) if allowed.is_empty() => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, Forbidden(format!("{name} stands for {}, which", first.ip()))))
        }
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Client, client::Unanswered};
    use http::HeaderMap;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinSet,
    };

    #[test]
    fn a_metadata_service_is_known_however_its_address_is_written() {
        let forbidden = [
            "http://169.254.169.254/latest/meta-data",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://169.254.1/",
            "http://169。254。169。254/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[::169.254.169.254]/",
            "http://[64:ff9b::169.254.169.254]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://[fd20:ce::254]/",
            "http://100.100.100.200/",
            "http://user:secret@169.254.170.2/",
        ];
        for url in forbidden {
            assert!(check(&url.parse().unwrap()).is_err(), "{url}");
        }
        let allowed =
            ["http://127.0.0.1:9093/hook", "http://10.0.0.7/", "http://[::1]/", "http://[fd00:ec2::255]/", "https://169.254.example.org/"];
        for url in allowed {
            assert_eq!(check(&url.parse().unwrap()), Ok(()), "{url}");
        }
        let said = check(&"http://2852039166/".parse().unwrap()).unwrap_err().to_string();
        assert!(said.starts_with("169.254.169.254 is link-local"), "{said}");
    }

    #[test]
    fn a_name_is_called_only_at_the_addresses_that_may_be_called() {
        let to = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let (good, bad, mapped) = (to("192.0.2.7"), to("169.254.169.254"), to("::ffff:169.254.169.254"));
        assert_eq!(allowed("x", vec![bad, good, mapped]).unwrap(), [good]);
        let said = allowed("rebound.example", vec![mapped, bad]).unwrap_err().to_string();
        assert!(said.starts_with("rebound.example stands for ::ffff:169.254.169.254, which is link-local"), "{said}");
        assert!(allowed("nobody.example", vec![]).unwrap().is_empty());
    }

    /// Says this to everybody who connects.
    async fn saying(said: String) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, mut task) = (listener.local_addr().unwrap(), JoinSet::new());
        task.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _head = stream.read(&mut [0; 4_096]).await.unwrap();
                // Whoever called may have heard enough.
                let _gone = stream.write_all(said.as_bytes()).await;
            }
        });
        (address, task)
    }

    fn answer(status: &str, headers: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    async fn post(client: &Client, url: &str) -> Result<Answer, Unanswered> {
        client.post(&url.parse().unwrap(), HeaderMap::new(), vec![], Duration::from_secs(2)).await
    }

    #[tokio::test]
    async fn a_name_that_changes_its_mind_is_not_called_again() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let (address, _task) = saying(answer("200 OK", "", "hello")).await;
        let rebinding: LookUp = |_| {
            let host = if ASKED.fetch_add(1, Ordering::Relaxed) == 0 { "127.0.0.1" } else { "169.254.169.254" };
            Box::pin(async move { Ok(vec![SocketAddr::new(host.parse().unwrap(), 0)]) })
        };
        let url = format!("http://rebound.example:{}/", address.port());
        let client = Client::webhook_by(&url.parse().unwrap(), rebinding).unwrap();
        assert_eq!(post(&client, &url).await.unwrap().body, "hello");
        let said = post(&client, &url).await.unwrap_err().words;
        assert!(said.contains("rebound.example stands for 169.254.169.254"), "{said}");
        let said = post(&client, "http://2852039166/").await.unwrap_err().words;
        assert!(said.contains("169.254.169.254 is link-local"), "{said}");
        assert_eq!(ASKED.load(Ordering::Relaxed), 2, "an address is not looked up");
    }

    #[tokio::test]
    async fn a_webhook_follows_nobody_and_reads_no_more_than_64_kib() {
        let (inside, _task) = saying(answer("200 OK", "", "secret")).await;
        let redirects = answer("307 Temporary Redirect", &format!("Location: http://{inside}/\r\n"), "");
        let (redirecting, _task_too) = saying(redirects).await;
        let (endless, _task_three) = saying(answer("200 OK", "", &"x".repeat((64 << 10) + 1))).await;
        let client = Client::webhook(&"http://127.0.0.1/".parse().unwrap()).unwrap();
        let answer = post(&client, &format!("http://{redirecting}/")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.len()), (307, 0));
        let answer = post(&client, &format!("http://{endless}/")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    }
}

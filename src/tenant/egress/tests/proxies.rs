//! Proxies between a gate and a host, honest ones and others.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What an upstream was asked for: the first line and the `Proxy-Authorization` of a request, or the target and
/// `user:password`.
pub(super) type Asked = Arc<Mutex<Vec<(String, String)>>>;

async fn serve<F>(on_connection: impl Fn(TcpStream, Asked) -> F + Send + Sync + 'static) -> (SocketAddr, Asked)
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let asked = Asked::default();
    let told = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(on_connection(stream, told.clone()));
        }
    });
    (address, asked)
}

/// An HTTP proxy that wants `Basic dXNlcjpwYXNz`, which is `user:pass`. Whatever it is asked for, it connects to this server.
pub(super) async fn http(server: SocketAddr) -> (SocketAddr, Asked) {
    serve(move |stream, asked| async move {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut first, mut authorization) = (String::new(), String::new());
            if stream.read_line(&mut first).await? == 0 {
                return Ok(());
            }
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await?;
                if line.to_lowercase().starts_with("proxy-authorization:") {
                    line.split_once(':').expect("a colon").1.trim().clone_into(&mut authorization);
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            asked.lock().expect("no panic").push((first.trim().to_owned(), authorization.clone()));
            if authorization != "Basic dXNlcjpwYXNz" {
                let challenge = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
                                 Content-Length: 4\r\n\r\nbody";
                stream.write_all(challenge.as_bytes()).await?;
            } else if first.starts_with("CONNECT refused.test") {
                stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await?;
            } else if first.starts_with("CONNECT") {
                // The first bytes of the other side come with the head.
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nearly").await?;
                let mut remote = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut stream, &mut remote).await?;
                return Ok(());
            } else {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: x\r\n\r\nplain").await?;
            }
        }
    })
    .await
}

/// A SOCKS5 proxy that wants `user` and `pass`. Whatever it is asked for, it connects to this server.
pub(super) async fn socks(server: SocketAddr) -> (SocketAddr, Asked) {
    serve(move |mut stream, asked| async move {
        let mut two = [0; 2];
        stream.read_exact(&mut two).await?;
        let mut methods = vec![0; usize::from(two[1])];
        stream.read_exact(&mut methods).await?;
        if !methods.contains(&2) {
            return stream.write_all(&[5, 0xff]).await;
        }
        stream.write_all(&[5, 2]).await?;
        let mut pair = Vec::new();
        stream.read_u8().await?;
        for _ in 0..2 {
            let mut text = vec![0; usize::from(stream.read_u8().await?)];
            stream.read_exact(&mut text).await?;
            pair.push(String::from_utf8_lossy(&text).into_owned());
        }
        let is_right = pair == ["user", "pass"];
        stream.write_all(&[1, u8::from(!is_right)]).await?;
        if !is_right {
            return Ok(());
        }
        let mut head = [0; 5];
        stream.read_exact(&mut head).await?;
        assert_eq!(head[3], 3, "a name and not an address");
        let mut rest = vec![0; usize::from(head[4]) + 2];
        stream.read_exact(&mut rest).await?;
        let name = String::from_utf8_lossy(&rest[..usize::from(head[4])]).into_owned();
        let code = if name == "refused.test" { 2 } else { 0 };
        asked.lock().expect("no panic").push((name, pair.join(":")));
        stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        let mut remote = TcpStream::connect(server).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut remote).await?;
        Ok(())
    })
    .await
}

/// Answers every connection with these bytes, and says nothing more.
pub(super) async fn saying(bytes: &'static [u8]) -> SocketAddr {
    let (address, _) = serve(move |mut stream, _| async move {
        stream.write_all(bytes).await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        Ok(())
    })
    .await;
    address
}

/// A proxy that closes every connection.
pub(super) async fn closing() -> SocketAddr {
    let (address, _) = serve(|stream, _| async move {
        drop(stream);
        Ok(())
    })
    .await;
    address
}

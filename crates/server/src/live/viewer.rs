//! One WebSocket: what the page asks for, what it is sent. A page that takes nothing for too long is left.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior};

use super::feed::{Feed, Next, Reader};
use super::hub::Hub;
use super::message::{ClientMessage, LiveMoment, ServerMessage};
use super::news::News;
use crate::browser::Browser;
use crate::limits;
use crate::problem::{Code, Problem};
use crate::runs::Runs;

/// Why a viewer is left.
enum Left {
    /// The connection ended, or the page takes nothing.
    Gone,
    /// It sent what is no message.
    Nonsense(&'static str),
    /// The workbench ends.
    Closing,
}

/// Speaks with a page until it goes.
pub async fn accompany(mut socket: WebSocket, hub: Hub, news: News, runs: Runs, browser: Browser) {
    let left = converse(&mut socket, &hub, &news, &runs, &browser).await;
    let frame = match left {
        Left::Gone => return,
        Left::Nonsense(reason) => CloseFrame { code: close_code::POLICY, reason: Utf8Bytes::from_static(reason) },
        Left::Closing => CloseFrame { code: close_code::AWAY, reason: Utf8Bytes::from_static("the workbench ends") },
    };
    let _ = tokio::time::timeout(limits::VIEWER_TIME, socket.send(Message::Close(Some(frame)))).await;
}

async fn converse(socket: &mut WebSocket, hub: &Hub, news: &News, runs: &Runs, browser: &Browser) -> Left {
    let mut news = news.listen();
    let mut reader: Option<Reader> = None;
    let mut heard = Instant::now();
    let mut pings = tokio::time::interval(limits::PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            () = hub.stopped().cancelled() => return Left::Closing,
            message = socket.recv() => {
                heard = Instant::now();
                let Some(Ok(message)) = message else { return Left::Gone };
                match receive(socket, hub, &mut reader, message).await {
                    Ok(()) => Ok(()),
                    Err(left) => return left,
                }
            }
            next = next_of(&mut reader) => match next {
                Ok((next, feed)) => forward(socket, next, &feed).await,
                Err(problem) => {
                    reader = None;
                    send(socket, &ServerMessage::Problem { problem }).await
                }
            },
            item = news.recv() => match item {
                Ok(item) if item.of.as_ref().is_none_or(|of| of == browser) => send(socket, &item.message).await,
                Ok(_) => Ok(()),
                Err(RecvError::Lagged(_)) => catch_up(socket, runs).await,
                Err(RecvError::Closed) => return Left::Closing,
            },
            _ = pings.tick() => {
                if heard.elapsed() > limits::PING_EVERY + limits::VIEWER_TIME {
                    return Left::Gone;
                }
                deliver(socket, Message::Ping(axum::body::Bytes::new())).await
            }
        };
        if let Err(left) = sent {
            return left;
        }
    }
}

/// Waits for ever where nothing is watched.
async fn next_of(reader: &mut Option<Reader>) -> Result<(Next, Arc<Feed>), Problem> {
    match reader {
        Some(reader) => Ok((reader.next().await?, Arc::clone(reader.feed()))),
        None => std::future::pending().await,
    }
}

async fn receive(socket: &mut WebSocket, hub: &Hub, reader: &mut Option<Reader>, message: Message) -> Result<(), Left> {
    let text = match message {
        Message::Text(text) => text,
        Message::Binary(_) => return Err(Left::Nonsense("messages are text")),
        Message::Close(_) => return Err(Left::Gone),
        Message::Ping(_) | Message::Pong(_) => return Ok(()),
    };
    match serde_json::from_str::<ClientMessage>(&text) {
        Ok(ClientMessage::Ping) => send(socket, &ServerMessage::Pong).await,
        Ok(ClientMessage::Watch { watch, log, after }) => {
            *reader = None;
            match hub.read(watch, log.as_deref(), after).await {
                Ok(new) => {
                    let resumed = new.goes_on_after();
                    let log = new.feed().id().to_owned();
                    *reader = Some(new);
                    match resumed {
                        Some(after) => send(socket, &ServerMessage::Resumed { log, after }).await,
                        None => Ok(()),
                    }
                }
                Err(problem) => send(socket, &ServerMessage::Problem { problem }).await,
            }
        }
        Err(error) => {
            let problem = Problem::new(Code::BadRequest, format!("this is no message: {error}"))
                .hint("`ClientMessage` in /openapi.json describes them");
            send(socket, &ServerMessage::Problem { problem }).await
        }
    }
}

async fn forward(socket: &mut WebSocket, next: Next, feed: &Feed) -> Result<(), Left> {
    match next {
        Next::Changes(changes) => {
            for change in changes {
                send(socket, &ServerMessage::Change((*change).clone())).await?;
            }
            Ok(())
        }
        Next::Moment { moment, is_behind } => {
            if is_behind {
                send(socket, &ServerMessage::Lagged).await?;
            }
            let moment = LiveMoment::of(feed.id(), feed.watch(), moment);
            send(socket, &ServerMessage::Moment(moment)).await
        }
    }
}

/// Says how the runs stand to a page that missed news of them. What its consoles answered it can ask for.
async fn catch_up(socket: &mut WebSocket, runs: &Runs) -> Result<(), Left> {
    for run in runs.list() {
        send(socket, &ServerMessage::Run { run }).await?;
    }
    Ok(())
}

async fn send(socket: &mut WebSocket, message: &ServerMessage) -> Result<(), Left> {
    match serde_json::to_string(message) {
        Ok(text) => deliver(socket, Message::Text(text.into())).await,
        Err(error) => {
            tracing::error!(error = %error, "a message is no JSON");
            Err(Left::Gone)
        }
    }
}

async fn deliver(socket: &mut WebSocket, message: Message) -> Result<(), Left> {
    match tokio::time::timeout(limits::VIEWER_TIME, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Left::Gone),
    }
}

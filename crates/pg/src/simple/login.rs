//! Opening a connection: the start-up message, and the password where one is asked for.
//!
//! Methods: none, clear text, MD5, SCRAM-SHA-256 (without channel binding, since there is no TLS in this build).
//! Source: PostgreSQL documentation, "Start-up" and "SASL Authentication" in "Message Flow".

use std::io;

use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;
use tokio_postgres::Config;

use super::message::{Folding, ServerMessage};
use super::stream::{Address, Stream};
use super::{SimpleSession, State};
use crate::error::Kind;

/// Tries the addresses in order and logs in at the first that answers; for replication commands, if asked to.
pub(super) async fn open(config: &Config, replicates: bool) -> Result<SimpleSession, Kind> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address is named");
    for address in Address::of(config) {
        match Stream::open(&address).await {
            Ok(stream) => return Login { stream, inbox: BytesMut::new() }.perform(config, address, replicates).await,
            Err(error) => last = error,
        }
    }
    Err(Kind::Io(last))
}

struct Login {
    stream: Stream,
    inbox: BytesMut,
}

impl Login {
    async fn perform(mut self, config: &Config, address: Address, replicates: bool) -> Result<SimpleSession, Kind> {
        let user = user_name(config);
        let mut parameters = vec![("user", user.as_str()), ("client_encoding", "UTF8")];
        parameters.extend(config.get_dbname().map(|name| ("database", name)));
        parameters.extend(config.get_options().map(|options| ("options", options)));
        parameters.extend(config.get_application_name().map(|name| ("application_name", name)));
        parameters.extend(replicates.then_some(("replication", "true")));
        let mut outbox = BytesMut::new();
        frontend::startup_message(parameters, &mut outbox)?;
        self.stream.send(&outbox).await?;
        self.authenticate(&user, config.get_password()).await?;
        let (mut backend_pid, mut secret_key) = (0, 0);
        loop {
            match self.message().await? {
                Message::BackendKeyData(body) => (backend_pid, secret_key) = (body.process_id(), body.secret_key()),
                Message::ReadyForQuery(_) => break,
                Message::ParameterStatus(_) | Message::NoticeResponse(_) => {}
                _ => return Err(unexpected().into()),
            }
        }
        let Self { stream, inbox } = self;
        Ok(SimpleSession {
            stream,
            inbox,
            folding: Folding::default(),
            address,
            backend_pid,
            secret_key,
            state: State::Idle,
            refusal_due: false,
        })
    }

    async fn authenticate(&mut self, user: &str, password: Option<&[u8]>) -> Result<(), Kind> {
        let asked = || password.ok_or_else(|| io::Error::new(io::ErrorKind::PermissionDenied, "a password is needed"));
        match self.message().await? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationCleartextPassword => self.send_password(asked()?).await?,
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(user.as_bytes(), asked()?, body.salt());
                self.send_password(hash.as_bytes()).await?;
            }
            Message::AuthenticationSasl(body) => self.scram(&body, asked()?).await?,
            _ => return Err(unexpected().into()),
        }
        match self.message().await? {
            Message::AuthenticationOk => Ok(()),
            _ => Err(unexpected().into()),
        }
    }

    async fn send_password(&mut self, password: &[u8]) -> io::Result<()> {
        let mut outbox = BytesMut::new();
        frontend::password_message(password, &mut outbox)?;
        self.stream.send(&outbox).await
    }

    async fn scram(&mut self, offer: &AuthenticationSaslBody, password: &[u8]) -> Result<(), Kind> {
        use fallible_iterator::FallibleIterator as _;
        if !offer.mechanisms().any(|name| Ok(name == SCRAM_SHA_256))? {
            return Err(unexpected().into());
        }
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        let mut outbox = BytesMut::new();
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut outbox)?;
        self.stream.send(&outbox).await?;
        let Message::AuthenticationSaslContinue(body) = self.message().await? else { return Err(unexpected().into()) };
        scram.update(body.data())?;
        outbox.clear();
        frontend::sasl_response(scram.message(), &mut outbox)?;
        self.stream.send(&outbox).await?;
        let Message::AuthenticationSaslFinal(body) = self.message().await? else { return Err(unexpected().into()) };
        Ok(scram.finish(body.data())?)
    }

    /// The next message; the server's refusal is an error.
    async fn message(&mut self) -> Result<Message, Kind> {
        loop {
            match Message::parse(&mut self.inbox)? {
                Some(Message::ErrorResponse(body)) => {
                    return Err(Kind::LogInRefused(Box::new(ServerMessage::of(body.fields())?)));
                }
                Some(message) => return Ok(message),
                None if self.stream.receive(&mut self.inbox).await? == 0 => {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                None => {}
            }
        }
    }
}

/// The role to log in as: the operating system's user when none is named, as in libpq.
fn user_name(config: &Config) -> String {
    let of_system = || nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
    config.get_user().map(str::to_owned).or_else(of_system).unwrap_or_default()
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the server asks for a way to log in that is not known here")
}

impl From<io::Error> for Kind {
    fn from(source: io::Error) -> Self {
        Self::Io(source)
    }
}

//! The address of a board: `ws://HOST:PORT/ROOM`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tokio_tungstenite::tungstenite::http::Uri;

/// The address of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardAddress {
    uri: Uri,
}

/// A text that is no board's address.
#[derive(Debug, Error)]
pub enum AddressError {
    /// It is no address at all.
    #[error("`{0}` is no address; wanted: ws://HOST:PORT/ROOM, as the board prints it")]
    Invalid(String),
    /// The scheme is another one.
    #[error("`{0}` does not begin with ws://; wanted: ws://HOST:PORT/ROOM, as the board prints it")]
    Scheme(String),
    /// There is no room in it.
    #[error("`{0}` names no room; wanted: ws://HOST:PORT/ROOM, as the board prints it")]
    NoRoom(String),
}

impl BoardAddress {
    /// Returns the room code.
    pub fn room(&self) -> &str {
        self.uri.path().trim_matches('/')
    }
}

impl FromStr for BoardAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError::Invalid(text.to_string()))?;
        if uri.scheme_str() != Some("ws") {
            return Err(AddressError::Scheme(text.to_string()));
        }
        if uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(AddressError::Invalid(text.to_string()));
        }
        let address = BoardAddress { uri };
        if address.room().is_empty() || address.room().contains('/') {
            return Err(AddressError::NoRoom(text.to_string()));
        }
        Ok(address)
    }
}

impl fmt::Display for BoardAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

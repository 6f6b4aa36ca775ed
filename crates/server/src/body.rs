//! JSON bodies whose faults are problems like all others.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// A JSON body. It must be sent as `application/json`: a form of another web site cannot do that without being asked.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

fn refused(rejection: &JsonRejection) -> Problem {
    let code = match rejection.status().as_u16() {
        413 => Code::TooLarge,
        415 => Code::WrongType,
        _ => Code::BadRequest,
    };
    let problem = Problem::new(code, rejection.body_text());
    match code {
        Code::WrongType => problem.hint("send `Content-Type: application/json`"),
        Code::BadRequest => problem.hint("`GET /openapi.json` describes every body"),
        _ => problem,
    }
}

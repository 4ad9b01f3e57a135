//! The operations on secrets.

use super::SessionManager;
use crate::{
    api_types::{
        Nothing, Reply, SecretList,
        operations::{DeleteSecret, ListSecrets, PutSecret, SecretRequest},
        paged,
    },
    session::{error::ServiceError, secret_book::NotStored, task::Caller},
    store::Timestamp,
};

impl SessionManager {
    pub(super) fn perform_on_secrets(&self, caller: &Caller, request: SecretRequest) -> Result<Reply, ServiceError> {
        let (secrets, owner) = (&self.inner.secrets, caller.owner());
        Ok(match request {
            SecretRequest::ListSecrets(ListSecrets { limit, cursor }) => {
                let (secrets, next) =
                    paged(secrets.list(owner), limit, cursor.as_deref(), |secret| secret.name.clone())?;
                Reply::of::<ListSecrets>(&SecretList { secrets, next })
            }
            SecretRequest::PutSecret(request) => {
                let most = self.request_limits().secrets;
                let stored = secrets.put(owner, request, most, Timestamp::now()).map_err(|why| match why {
                    NotStored::Bad(bad) => bad.into(),
                    NotStored::Many => ServiceError::ManySecrets { most },
                })?;
                Reply::of::<PutSecret>(&stored)
            }
            SecretRequest::DeleteSecret(DeleteSecret { secret: name }) => {
                if !secrets.remove(owner, &name) {
                    return Err(ServiceError::NoSecret(name.chars().take(200).collect()));
                }
                Reply::of::<DeleteSecret>(&Nothing {})
            }
        })
    }
}

//! Fills the fields of a form.

use super::{acting::needed, driven::Page, secrets::Text};
use crate::{
    api_types::{Bad, operations::FormField},
    session::pages::PageError,
};

/// Most fields of a request.
const FIELDS_MOST: usize = 100;

/// What a field is given.
enum Given<'a> {
    Text(Text<'a>),
    Checked(bool),
    Options(&'a [String]),
}

impl Page {
    /// Fills the fields, one after the other. All are read before the first is filled.
    pub(super) async fn fill_form(&self, what: &'static str, fields: &[FormField]) -> Result<(), PageError> {
        if fields.is_empty() || fields.len() > FIELDS_MOST {
            return Err(Bad::new("fields", format!("are 1 to {FIELDS_MOST}")).into());
        }
        let mut read = Vec::with_capacity(fields.len());
        for (index, field) in fields.iter().enumerate() {
            let of_field = |error: Bad| PageError::Field { index, error: Box::new(error.into()) };
            read.push((needed(field.element()).map_err(of_field)?, given(field).map_err(of_field)?));
        }
        for (index, (selector, given)) in read.iter().enumerate() {
            self.is_at(Some(format!("fields[{index}]")));
            let filled = match given {
                Given::Text(text) => self.fill_with(what, selector, *text, false).await,
                Given::Checked(checked) => self.set_checked(what, selector, *checked, false).await,
                Given::Options(options) => self.select(what, selector, options).await.map(drop),
            };
            filled.map_err(|error| PageError::Field { index, error: Box::new(error) })?;
        }
        self.is_at(None);
        Ok(())
    }
}

fn given(field: &FormField) -> Result<Given<'_>, Bad> {
    let has_text = field.value.is_some() || field.secret.is_some() || field.totp;
    match (has_text, field.checked, &field.options) {
        (true, None, None) => {
            Text::read("value", field.value.as_deref(), field.secret.as_deref(), field.totp).map(Given::Text)
        }
        (false, Some(checked), None) => Ok(Given::Checked(checked)),
        (false, None, Some(options)) => Ok(Given::Options(options)),
        _ => Err(Bad::new("fields", "each need one of value, secret, checked and options")),
    }
}

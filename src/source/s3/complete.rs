//! Whether a page of a listing came whole. The SDK reads a page that was cut
//! as far as it goes: half a key then passes for another key, half a size for
//! another size, and an object is lost unsaid. Only the end of the page tells.

use aws_sdk_s3::config::ConfigBag;
use aws_sdk_s3::config::Intercept;
use aws_sdk_s3::config::RuntimeComponents;
use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::error::BoxError;

/// How every page ends, whatever stands before the name.
const END: &[u8] = b"ListBucketResult>";

/// Refuses pages without their end; an answer with an error is left to others.
#[derive(Debug)]
pub(super) struct WholePages;

impl Intercept for WholePages {
    fn name(&self) -> &'static str {
        "WholePages"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let page = response.body().bytes().unwrap_or_default();
        if response.status().is_success() && !page.trim_ascii_end().ends_with(END) {
            return Err("a page of the listing is incomplete".into());
        }
        Ok(())
    }
}

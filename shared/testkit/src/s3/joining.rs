//! An S3 server that completes an upload as S3 does, without reading the parts again. `s3s-fs` hashes and
//! copies them, and a measurement would count that time as the uploader's.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;

/// A file system, except for the completion of uploads.
pub(super) struct Joining {
    files: FileSystem,
    root: PathBuf,
}

/// Calls delegated to `s3s-fs`.
macro_rules! delegated {
    ($($call:ident: $input:ident => $output:ident,)*) => {
        #[async_trait::async_trait]
        impl S3 for Joining {
            $(async fn $call(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.files.$call(request).await
            })*

            async fn complete_multipart_upload(
                &self,
                request: S3Request<CompleteMultipartUploadInput>,
            ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
                self.complete(request.input).await
            }
        }
    };
}

delegated! {
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput,
    upload_part: UploadPartInput => UploadPartOutput,
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput,
    put_object: PutObjectInput => PutObjectOutput,
    get_object: GetObjectInput => GetObjectOutput,
    head_object: HeadObjectInput => HeadObjectOutput,
    head_bucket: HeadBucketInput => HeadBucketOutput,
    create_bucket: CreateBucketInput => CreateBucketOutput,
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput,
    delete_object: DeleteObjectInput => DeleteObjectOutput,
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput,
    list_objects: ListObjectsInput => ListObjectsOutput,
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output,
}

impl Joining {
    pub(super) fn create(root: &Path) -> Self {
        Self { files: FileSystem::new(root).unwrap(), root: root.to_owned() }
    }

    async fn complete(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput { bucket, key, upload_id, multipart_upload, .. } = input;
        let count = multipart_upload.and_then(|upload| upload.parts).map_or(0, |parts| parts.len());
        let (root, e_tag) = (self.root.clone(), format!("{}-{count}", upload_id.replace('-', "")));
        let (path, tag) = ((bucket.clone(), key.clone()), e_tag.clone());
        let joined =
            tokio::task::spawn_blocking(move || join(&root, (&path.0, &path.1), (&upload_id, count), &tag));
        joined
            .await
            .unwrap()
            .map_err(|error| S3Error::with_source(S3ErrorCode::InternalError, error.into()))?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(e_tag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }
}

/// Appends the other parts to the first one, within the kernel, and renames it to the object's name. The
/// files are those that `s3s-fs` creates.
fn join(
    root: &Path,
    (bucket, key): (&str, &str),
    (upload, count): (&str, usize),
    e_tag: &str,
) -> io::Result<()> {
    let part = |number: usize| root.join(format!(".upload_id-{upload}.part-{number}"));
    let mut first = OpenOptions::new().write(true).open(part(1))?;
    first.seek(SeekFrom::End(0))?;
    for number in 2..=count {
        io::copy(&mut File::open(part(number))?, &mut first)?;
        std::fs::remove_file(part(number))?;
    }
    let object = root.join(bucket).join(key);
    std::fs::create_dir_all(object.parent().unwrap())?;
    std::fs::rename(part(1), object)?;
    let name = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let about = root.join(format!(".bucket-{}.object-{}.internal.json", name(bucket), name(key)));
    std::fs::write(about, serde_json::json!({ "e_tag": e_tag }).to_string())?;
    std::fs::remove_file(root.join(format!(".upload-{upload}.json")))
}

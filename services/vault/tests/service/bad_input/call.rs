//! Calls any method of the descriptor set, including methods added after this was written.

use std::time::Duration;

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use strongroom_runtime::client::AuthorizedChannel;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

/// Nothing here takes longer unless it hangs.
const LIMIT: Duration = Duration::from_secs(30);
/// After this time, a stream that was not refused has nothing to say yet.
const SILENCE: Duration = Duration::from_secs(3);

/// Sends one message and returns the first answer, whether the request or the answer is a stream. A missing answer
/// counts as an empty one.
pub(crate) async fn call(
    channel: &AuthorizedChannel,
    method: &MethodDescriptor,
    request: DynamicMessage,
) -> Result<DynamicMessage, Status> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let answering = async {
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let requests = Request::new(tokio_stream::iter([request]));
        let codec = Dynamic(method.output());
        let answers = grpc.streaming(requests, path.parse().unwrap(), codec).await?;
        let mut answers = answers.into_inner();
        let first = match tokio::time::timeout(SILENCE, answers.message()).await {
            Err(_) if method.is_server_streaming() => None,
            Err(_) => answers.message().await?,
            Ok(first) => first?,
        };
        Ok(first.unwrap_or_else(|| DynamicMessage::new(method.output())))
    };
    let answer = tokio::time::timeout(LIMIT, answering).await;
    answer.unwrap_or_else(|_| panic!("{path} did not answer in {LIMIT:?}"))
}

/// Encodes any message, and decodes the described one.
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = DynamicEncoder;
    type Decoder = Dynamic;

    fn encoder(&mut self) -> DynamicEncoder {
        DynamicEncoder
    }

    fn decoder(&mut self) -> Dynamic {
        Self(self.0.clone())
    }
}

struct DynamicEncoder;

impl Encoder for DynamicEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let decoded = DynamicMessage::decode(self.0.clone(), buffer);
        decoded.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

//! The service `Lease`.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::generated::etcdserverpb::lease_server::Lease;
use super::generated::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseLeasesRequest, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseStatus,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use super::kv::Shared;

#[tonic::async_trait]
impl Lease for Shared {
    async fn lease_grant(
        &self,
        request: Request<LeaseGrantRequest>,
    ) -> Result<Response<LeaseGrantResponse>, Status> {
        self.0.policy.access(&request)?.lease()?;
        let request = request.into_inner();
        let (id, ttl) = self.0.leases.grant(request.id, request.ttl)?;
        let header = Some(self.0.header_now());
        Ok(Response::new(LeaseGrantResponse { header, id, ttl, error: String::new() }))
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        let server = &self.0;
        let access = server.policy.access(&request)?;
        access.lease()?;
        let id = request.get_ref().id;
        for key in server.leases.keys(id, &server.store)? {
            access.write(key.table())?;
        }
        server.leases.revoke(id, &server.store).await?;
        Ok(Response::new(LeaseRevokeResponse { header: Some(server.header_now()) }))
    }

    type LeaseKeepAliveStream = ReceiverStream<Result<LeaseKeepAliveResponse, Status>>;

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        self.0.policy.access(&request)?.lease()?;
        let server = Arc::clone(&self.0);
        let mut requests = request.into_inner();
        let (answers, stream) = mpsc::channel(4);
        tokio::spawn(async move {
            let mut closing = server.closing.clone();
            loop {
                let request = tokio::select! {
                    request = requests.next() => request,
                    _ = closing.wait_for(|closing| *closing) => return,
                };
                let Some(Ok(LeaseKeepAliveRequest { id })) = request else { return };
                let ttl = server.leases.keep_alive(id).unwrap_or(0);
                let header = Some(server.header_now());
                // Whoever does not read the answers is not read any further either.
                if answers.send(Ok(LeaseKeepAliveResponse { header, id, ttl })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        let server = &self.0;
        server.policy.access(&request)?;
        let request = request.into_inner();
        let mut response = LeaseTimeToLiveResponse {
            header: Some(server.header_now()),
            id: request.id,
            ttl: -1,
            ..LeaseTimeToLiveResponse::default()
        };
        if let Some(lease) = server.leases.time_to_live(request.id, &server.store) {
            response.ttl = lease.left;
            response.granted_ttl = lease.granted;
            if request.keys {
                response.keys = lease.keys.into_iter().map(String::into_bytes).collect();
            }
        }
        Ok(Response::new(response))
    }

    async fn lease_leases(
        &self,
        request: Request<LeaseLeasesRequest>,
    ) -> Result<Response<LeaseLeasesResponse>, Status> {
        self.0.policy.access(&request)?;
        let leases = self.0.leases.ids().into_iter().map(|id| LeaseStatus { id }).collect();
        Ok(Response::new(LeaseLeasesResponse { header: Some(self.0.header_now()), leases }))
    }
}

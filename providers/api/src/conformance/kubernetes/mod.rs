//! What a Kubernetes API server and its controllers must do.

//! Where run records and leases live: a folder, an S3 bucket or an Azure blob container.

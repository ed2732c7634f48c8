//! The agent loop: model clients, labels, action policy.

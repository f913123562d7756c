//! Who may reach what asks for no credential?

use super::super::MetricsExposure;
use super::{PartialFlags, load, problems};

fn loaded(text: &str) -> Result<super::super::Config, super::super::ConfigError> {
    load(text, &[], PartialFlags::default())
}

#[test]
fn metrics_that_other_machines_reach_are_refused_unless_that_is_meant() {
    for reached in ["0.0.0.0:9090", "[::]:9090", "10.0.0.7:9090", "[fe80::1]:9090"] {
        let listen = format!("[server]\nmetrics_listen = '{reached}'\n");
        let said = problems(loaded(&listen));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("server.metrics_listen") && said[0].contains("metrics_exposure"),
            "{said:?}"
        );
        let meant = loaded(&format!("{listen}metrics_exposure = 'network'\n")).unwrap();
        assert_eq!(meant.server.metrics_exposure, MetricsExposure::Network);
    }
    for here in ["127.0.0.1:9090", "127.8.8.8:1", "[::1]:9090"] {
        loaded(&format!("[server]\nmetrics_listen = '{here}'\n")).unwrap();
    }
}

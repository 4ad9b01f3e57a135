//! Targets of extensions.

use super::*;

const OWN: &str = "aaaaaaaabbbbbbbbccccccccdddddddd";
const CHROMES: &str = "mhjfbmdgcfjbbpaeojofohoefgiehjai";

#[test]
fn workers_and_pages_of_an_extension_that_is_shown_are_ordinary_targets() {
    play(&format!(
        "bind C 1
         root R 1
         auto R tab
         extension {OWN}
         create W service_worker C at:chrome-extension://{OWN}/worker.js => 1: created W
         attach WW W PW paused at:chrome-extension://{OWN}/worker.js     => let WW go on PW when it runs
         attach TW1 W TW paused at:chrome-extension://{OWN}/worker.js    => 1: attached TW1 to W on R waiting
         create T tab C at:chrome-extension://{OWN}/popup.html
         create P page C at:chrome-extension://{OWN}/popup.html          => 1: created T, 1: created P
         change P at:http://x/                                           => 1: changed P
         change P at:chrome-extension://{OWN}/options.html               => 1: changed P"
    ));
}

#[test]
fn others_are_hidden_as_all_that_is_chromes_own() {
    play(&format!(
        "bind C 1
         root R 1
         auto R page
         create W service_worker C at:chrome-extension://{OWN}/worker.js
         attach WW W PW paused at:chrome-extension://{OWN}/worker.js => let WW go on PW when it runs
         extension {OWN}
         create V service_worker C at:chrome-extension://{CHROMES}/worker.js
         attach WV V PW paused at:chrome-extension://{CHROMES}/worker.js => let WV go on PW when it runs
         create T tab C
         create P page C => 1: created T, 1: created P
         change P at:chrome-extension://{CHROMES}/index.html => 1: destroyed P"
    ));
}

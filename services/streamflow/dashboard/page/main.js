// The page: signs in, then puts the panels and the connection together.

import { Alerts } from "./alerts.js";
import { Api } from "./api.js";
import { Boards } from "./boards.js";
import { Connection } from "./connection.js";
import { byId, setText } from "./elements.js";
import { Events } from "./events.js";
import { Figures } from "./figures.js";
import { bearer, signIn, signOut, wasEntered } from "./session.js";

const STATES = { live: "Live", reconnecting: "Reconnecting…", offline: "Offline, trying again" };

function run(token) {
  const { name, mayWrite } = bearer(token);
  const api = new Api(token, (error) => signOut(error.message));
  byId("board").hidden = false;
  byId("connection").hidden = false;
  byId("caller").hidden = false;
  setText(byId("caller"), mayWrite ? name : `${name} (may only read)`);
  byId("sign-out").hidden = !wasEntered();
  byId("sign-out").onclick = () => signOut();
  for (const hint of document.querySelectorAll(".read-only")) hint.hidden = mayWrite;

  const figures = new Figures(api);
  const alerts = new Alerts(api, mayWrite);
  const events = new Events(api, (filter) => boards.filtered(filter));
  const boards = new Boards(api, mayWrite, ({ window, filter }) => {
    figures.choose(window);
    events.choose(filter);
  });
  boards.open();
  new Connection(token, {
    state: (state) => {
      byId("connection").dataset.state = state;
      byId("panels").dataset.state = state;
      setText(byId("connection"), STATES[state]);
    },
    opened: () => {
      figures.load();
      alerts.load();
    },
    figures: (told) => figures.tell(told),
    alert: (change) => alerts.tell(change),
    lost: () => {
      figures.interrupted();
      // A socket doesn't say why it was refused; this does, and signs out where it is for the token.
      api.get("metrics/realtime").catch(() => {});
    },
  });
}

run(await signIn());

// The WebSockets: the live figures and the changes of alerts, connected again whenever they are lost.

const FIRST_WAIT = 0.5;
const LONGEST_WAIT = 15;
// After so many attempts it isn't a hiccup any more.
const OFFLINE_AFTER = 4;
// Figures come once a second even where nothing happens.
const SILENCE = 8;

/** Both sockets as one: when either is lost both begin anew, so that what is shown is of one moment. */
export class Connection {
  #token;
  #listener;
  #sockets = [];
  #attempts = 0;
  #waiting = 0;
  #silent = 0;

  /** The listener has `state(name)`, `opened()`, `figures(realtime)`, `alert(change)` and `lost()`. */
  constructor(token, listener) {
    this.#token = token;
    this.#listener = listener;
    addEventListener("online", this.#now);
    this.#listener.state("reconnecting");
    this.#open();
  }

  #now = () => {
    if (this.#waiting) this.#open();
  };

  #open() {
    this.#drop();
    const sockets = [
      this.#socket("ws/metrics", (told) => {
        this.#listen();
        this.#listener.figures(told);
      }),
      this.#socket("ws/alerts", (told) => this.#listener.alert(told)),
    ];
    this.#sockets = sockets;
    for (const socket of sockets) {
      socket.onopen = () => {
        if (sockets.some((each) => each.readyState !== WebSocket.OPEN)) return;
        this.#attempts = 0;
        this.#listener.state("live");
        this.#listener.opened();
      };
      socket.onclose = () => this.#again();
    }
    this.#listen();
  }

  #socket(path, heard) {
    const url = new URL(path, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("access_token", this.#token);
    const socket = new WebSocket(url);
    socket.onmessage = (message) => heard(JSON.parse(message.data));
    return socket;
  }

  #listen() {
    clearTimeout(this.#silent);
    this.#silent = setTimeout(() => this.#again(), SILENCE * 1000);
  }

  #again() {
    this.#drop();
    this.#attempts += 1;
    const offline = !navigator.onLine || this.#attempts > OFFLINE_AFTER;
    this.#listener.state(offline ? "offline" : "reconnecting");
    // Not all at the same time, where a server was lost that many had been connected to.
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (this.#attempts - 1));
    this.#waiting = setTimeout(() => this.#open(), longest * (0.5 + Math.random() / 2) * 1000);
    this.#listener.lost();
  }

  #drop() {
    clearTimeout(this.#waiting);
    clearTimeout(this.#silent);
    this.#waiting = 0;
    for (const socket of this.#sockets) {
      socket.onopen = socket.onclose = socket.onmessage = null;
      socket.close();
    }
    this.#sockets = [];
  }
}

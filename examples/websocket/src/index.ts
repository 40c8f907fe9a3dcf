// A WebSocket. The page and the socket live at the same address: a browser that opens it gets the page, and the page
// opens the socket. Try it at http://websocket.localhost:8080

import { page } from "../../shared/html";

export default {
  async fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") return page("Echo", BODY);

    // Two ends of one socket: one goes to the client with the answer, the other stays here.
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(data));
    return new Response(null, { status: 101, webSocket: client });
  },
} satisfies ExportedHandler;

const BODY = `
  <form><input name="text" placeholder="Say something" autocomplete="off" autofocus> <button>Send</button></form>
  <ul></ul>
  <script type="module">
    const socket = new WebSocket(location.href.replace(/^http/, "ws"));
    socket.onmessage = ({ data }) => {
      const line = document.createElement("li");
      line.textContent = data;
      document.querySelector("ul").append(line);
    };
    document.querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      socket.send(event.target.text.value);
      event.target.reset();
    };
  </script>`;

// A dependency from npm. package.json names it, package-lock.json (commit it!) fixes what exactly is installed.
// Nothing of a package is executed while installing.
//
//   curl http://hono.localhost:8080
//   curl http://hono.localhost:8080/planets/mars

import { Hono } from "hono";
import { etag } from "hono/etag";

const planets = [
  { name: "mercury", moons: 0 },
  { name: "venus", moons: 0 },
  { name: "earth", moons: 1 },
  { name: "mars", moons: 2 },
];

const app = new Hono();

app.use(etag());
app.get("/", (c) => c.text("Try /planets, or /planets/mars\n"));
app.get("/planets", (c) => c.json(planets));
app.get("/planets/:name", (c) => {
  const planet = planets.find(({ name }) => name === c.req.param("name"));
  return planet ? c.json(planet) : c.notFound();
});

export default app;

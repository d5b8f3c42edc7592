// Draws zones, lines and points on a plan or a picture. One SVG, no library.
// data: {image, width, height, flip, step, tool, shapes, selected, grid, fixtures, digits}
//   coordinates are the caller's (metres or pixels); flip: y points up. tool: "select", "polygon", "line", "point".
//   shapes: [{key, kind: polygon|line|point, points: [[x, y], ...], label, colour, inside: [x, y]}]
// Sends one trigger "edit": {action: add|move|select, kind, key, points, inside, number}
const NS = "http://www.w3.org/2000/svg";

function make(name, attributes, parent) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.appendChild(element);
  return element;
}

export default function (component) {
  const { data, setTriggerValue, parentElement } = component;
  const host = parentElement.querySelector(".editor");
  const hint = parentElement.querySelector(".hint");
  const state = (host.__state = host.__state || { pending: [], counter: 0 });
  if (state.tool !== data.tool || state.surface !== data.surface) state.pending = [];
  state.tool = data.tool;
  state.surface = data.surface;

  const unit = Math.max(data.width, data.height) / 100; // one hundredth of the picture: line widths follow it
  const pad = data.image ? 0 : unit * 2.5;
  const up = (y) => (data.flip ? data.height - y : y);
  const send = (edit) => setTriggerValue("edit", { ...edit, number: ++state.counter + "-" + Date.now() });
  const round = (value) => Number(value.toFixed(data.digits));

  host.replaceChildren();
  const svg = make("svg", {
    viewBox: `${-pad} ${-pad} ${data.width + 2 * pad} ${data.height + 2 * pad}`, class: "surface", tabindex: "0",
    role: "application", "aria-label": data.label,
  }, host);

  const at = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let [x, y] = [point.x, up(point.y)];
    if (data.step) [x, y] = [Math.round(x / data.step) * data.step, Math.round(y / data.step) * data.step];
    return [round(Math.min(Math.max(x, 0), data.width)), round(Math.min(Math.max(y, 0), data.height))];
  };
  const path = (points, close) =>
    points.map(([x, y], i) => `${i ? "L" : "M"}${x},${up(y)}`).join(" ") + (close ? " Z" : "");

  if (data.image) make("image", { href: data.image, x: 0, y: 0, width: data.width, height: data.height, preserveAspectRatio: "none" }, svg);
  else make("rect", { x: 0, y: 0, width: data.width, height: data.height, class: "floor" }, svg);
  for (const polygon of data.fixtures || []) make("path", { d: path(polygon, true), class: "fixture" }, svg);
  for (const line of data.grid || [])
    make("path", { d: path(line.points, false), class: line.strong ? "grid strong" : "grid", "stroke-width": unit * (line.strong ? 0.22 : 0.12) }, svg);

  for (const shape of data.shapes) {
    const chosen = shape.key === data.selected;
    const group = make("g", { class: "shape" + (chosen ? " chosen" : ""), "data-key": shape.key }, svg);
    const body = make("path", {
      d: path(shape.points, shape.kind === "polygon"), stroke: shape.colour,
      fill: shape.kind === "polygon" ? shape.colour : "none", "fill-opacity": chosen ? 0.42 : 0.22,
      "stroke-width": unit * (shape.kind === "line" ? 0.8 : chosen ? 0.5 : 0.3),
    }, group);
    if (shape.kind !== "point")
      body.addEventListener("pointerdown", (event) => {
        if (data.tool !== "select") return;
        event.stopPropagation();
        if (!chosen) send({ action: "select", key: shape.key });
      });
    const [cx, cy] = shape.points.reduce(([a, b], [x, y]) => [a + x / shape.points.length, b + y / shape.points.length], [0, 0]);
    const above = up(cy) > unit * 3 ? -1 : 1; // at the upper edge there is room below only
    const label = make("text", {
      x: cx, y: up(cy) + (shape.kind === "polygon" ? 0 : above * unit * 2.1), class: "label", "font-size": unit * 2.1,
      "stroke-width": unit * 0.5, "text-anchor": "middle", "dominant-baseline": "middle",
    }, group);
    label.textContent = shape.label;
    if (shape.inside)
      handle(group, shape.inside, (point) => send({ action: "move", key: shape.key, kind: shape.kind, points: shape.points, inside: point }), "inside", null);
    if (chosen || shape.kind === "point")
      shape.points.forEach((corner, index) =>
        handle(group, corner, (point) => send({
          action: "move", key: shape.key, kind: shape.kind, inside: shape.inside,
          points: shape.points.map((old, i) => (i === index ? point : old)),
        }), shape.kind === "point" ? "cross" : "corner", (point) =>
          body.setAttribute("d", path(shape.points.map((old, i) => (i === index ? point : old)), shape.kind === "polygon"))));
  }

  function handle(group, [x, y], done, kind, during) {
    const dot = make("circle", { cx: x, cy: up(y), r: unit * (kind === "cross" ? 0.9 : 0.85), class: "handle " + kind, "stroke-width": unit * 0.3 }, group);
    dot.addEventListener("pointerdown", (event) => {
      if (data.tool !== "select") return;
      event.stopPropagation();
      dot.setPointerCapture(event.pointerId);
      let last = null;
      dot.onpointermove = (move) => {
        last = at(move);
        dot.setAttribute("cx", last[0]);
        dot.setAttribute("cy", up(last[1]));
        if (during) during(last);
      };
      dot.onpointerup = () => {
        dot.onpointermove = dot.onpointerup = null;
        if (last) done(last);
      };
    });
  }

  const sketch = make("path", { class: "sketch", "stroke-width": unit * 0.4, "stroke-dasharray": `${unit} ${unit * 0.7}` }, svg);
  const dots = make("g", {}, svg);
  const redraw = (cursor) => {
    const points = cursor && state.pending.length ? [...state.pending, cursor] : state.pending;
    sketch.setAttribute("d", points.length ? path(points, false) : "");
    dots.replaceChildren();
    state.pending.forEach(([x, y], i) =>
      make("circle", { cx: x, cy: up(y), r: unit * (i === 0 && data.tool === "polygon" ? 1.2 : 0.7), class: "handle" + (i === 0 ? " first" : ""), "stroke-width": unit * 0.3 }, dots));
    hint.textContent = {
      select: data.shapes.length && data.shapes.every((shape) => shape.kind === "point")
        ? "Drag a point to its place in the picture."
        : "Click a shape to choose it; drag its corners, or the ring that marks the inner side of an entrance.",
      polygon: state.pending.length < 3 ? "Click the corners of the zone, one after another." : "Click the first corner, double-click, or press Enter to close the zone. Esc starts over.",
      line: state.pending.length ? "Click the other end of the entrance." : "Click one end of the entrance.",
      point: "Click a spot on the floor whose place in metres you know.",
    }[data.tool];
  };
  const close = () => {
    if (data.tool === "polygon" && state.pending.length >= 3) {
      const points = state.pending;
      state.pending = [];
      send({ action: "add", kind: "polygon", points });
    }
  };
  svg.addEventListener("pointerdown", (event) => {
    if (data.tool === "select" || event.button !== 0) return;
    event.preventDefault();
    svg.focus({ preventScroll: true });
    const point = at(event);
    const [first] = state.pending;
    const last = state.pending[state.pending.length - 1];
    if (data.tool === "point") return send({ action: "add", kind: "point", points: [point] });
    if (data.tool === "polygon" && state.pending.length >= 3 && Math.hypot(point[0] - first[0], point[1] - first[1]) < unit * 2) return close();
    if (last && last[0] === point[0] && last[1] === point[1]) return;
    state.pending.push(point);
    if (data.tool === "line" && state.pending.length === 2) {
      const points = state.pending;
      state.pending = [];
      send({ action: "add", kind: "line", points });
    }
    redraw(null);
  });
  svg.addEventListener("dblclick", close);
  svg.addEventListener("pointermove", (event) => { if (data.tool !== "select") redraw(at(event)); });
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Enter") close();
    if (event.key === "Escape") { state.pending = []; redraw(null); }
  });
  redraw(null);
}

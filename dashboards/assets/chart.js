// Draws a figure of plotly. data: {figure: JSON of {data, layout, frames}, alt}; without a figure it only fetches the
// library, once for all charts of the page. Colours and font are those of the reader's theme.
const library = import(new URL("app/static/plotly.min.js", document.baseURI).href);

export default async function ({ data, parentElement }) {
  const host = parentElement.querySelector(".chart");
  if (!data.figure) return library.then(() => undefined);
  const { data: traces, layout, frames } = JSON.parse(data.figure);
  host.setAttribute("aria-label", data.alt);
  host.style.height = `${layout.height}px`; // before the library is there, so that nothing moves when it comes
  host.asked = data.figure;
  const plotly = (await library).default;
  if (host.asked !== data.figure || !host.isConnected) return undefined; // another figure was asked for meanwhile

  const theme = getComputedStyle(host);
  const of = (name) => theme.getPropertyValue(`--st-${name}`);
  layout.font.family = of("font");
  layout.width = host.clientWidth;
  layout.hoverlabel = {
    ...layout.hoverlabel, bgcolor: of("background-color"), bordercolor: of("border-color"),
    font: { color: of("text-color"), family: of("font"), size: 12 },
  };
  await plotly.newPlot(host, { data: traces, layout, frames, config: { displayModeBar: false } });

  const fit = () => {
    if (host.clientWidth && host.clientWidth !== host.layout.width) plotly.relayout(host, { width: host.clientWidth });
  };
  host.watched ??= new ResizeObserver(fit);
  host.watched.observe(host);
  return () => {
    host.watched.disconnect();
    plotly.purge(host);
  };
}

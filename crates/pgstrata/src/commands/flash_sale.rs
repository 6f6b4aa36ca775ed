//! `pgstrata flash-sale serve`: the flash sale's own front door, on a private or an attached server.

use std::net::{Ipv4Addr, SocketAddr};

use pgstrata_cases::flash_sale::service::{Service, ServiceSettings, http};
use pgstrata_cases::flash_sale::stock_the_shop;
use pgstrata_lab::error::LabError;
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::site::Site;
use pgstrata_units::Text;
use tokio_util::sync::CancellationToken;

use crate::Ended;
use crate::cli::flash_sale::{FlashSaleCommand, SaleArgs};
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// `pgstrata flash-sale`.
pub async fn flash_sale(command: FlashSaleCommand, terminal: Terminal) -> anyhow::Result<Ended> {
    match command {
        FlashSaleCommand::Serve(args) => serve(&args, terminal).await,
    }
}

async fn serve(args: &SaleArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let interrupt = interrupt::token()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    // Before a server is started: a port that is taken is found out at once.
    let listener = http::listen(address).await.map_err(|source| LabError::Machine {
        action: format!("listen on {address}"),
        hint: "choose another port with --port".to_owned(),
        source,
    })?;
    eprintln!("{}", terminal.say(Text { en: "starting PostgreSQL", zh: "正在启动 PostgreSQL" }));
    let site = servers::open(&args.server, 1, &FaultPlan::default(), &interrupt).await?;
    let outcome = run(args, &site, listener, &interrupt, terminal).await;
    servers::close(site).await;
    outcome.map(|()| Ended::Held)
}

async fn run(
    args: &SaleArgs,
    site: &Site,
    listener: tokio::net::TcpListener,
    interrupt: &CancellationToken,
    terminal: Terminal,
) -> anyhow::Result<()> {
    stock_the_shop(site, args.products, args.stock).await?;
    let endpoints: Vec<_> = site.servers.iter().map(|server| server.endpoint.clone()).collect();
    let settings = ServiceSettings { hold: args.hold, ..ServiceSettings::default() };
    let service = Service::start(&endpoints, &settings).await?;
    let open = terminal.say(Text { en: "open for sale; Ctrl-C ends it:", zh: "已开售，Ctrl-C 结束：" });
    println!("{open} http://{}", listener.local_addr()?);
    http::run(listener, service, interrupt.clone().cancelled_owned()).await?;
    Ok(())
}

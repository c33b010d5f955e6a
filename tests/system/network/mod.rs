//! Claims about networks that bar UDP, move and lie. Most of them are proven in network namespaces: see [`lab`].

mod lab;

mod a_lost_network_costs_its_clients_alone;
mod a_moved_client_is_followed;
mod a_router_forwards_to_the_box;
mod addresses_come_and_go;
mod answers_come_from_the_address_that_was_asked;
mod ipv6_alone_is_enough;
mod tcp_carries_media;
mod tcp_strangers_hurt_nobody;
